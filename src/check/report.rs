//! What a comparison found.

/// One element and what was found there.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its index.
    pub index: usize,
    /// The input.
    pub x: f32,
    /// The incoming gradient, for a backward pass.
    pub dy: Option<f32>,
    /// The result under test.
    pub got: f32,
    /// The reference.
    pub want: f64,
    /// The error, in ULP of the result's dtype at the reference (at [`ROOT_SCALE`](super::ROOT_SCALE) near a root).
    pub ulp: f64,
    /// The error allowed here, in the same unit; infinite where none is stated, as for derivatives that were derived.
    pub allowed: f64,
}

impl Finding {
    /// Whether the error is within what is allowed.
    pub fn passes(&self) -> bool {
        self.ulp <= self.allowed
    }

    /// The share of the allowed error that was used; above 1 it fails.
    pub(super) fn share(&self) -> f64 {
        if self.ulp == 0.0 {
            0.0
        } else if self.allowed.is_infinite() {
            // Next to nothing of it, and more of a larger error.
            self.ulp * f64::MIN_POSITIVE
        } else {
            self.ulp / self.allowed
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "x[{}] = {:e} ({:#010x})",
            self.index,
            self.x,
            self.x.to_bits()
        )?;
        if let Some(dy) = self.dy {
            write!(f, ", dy = {dy:e}")?;
        }
        write!(
            f,
            ": got {:e} ({:#010x}), want {:e}; {:.2} ULP, ",
            self.got,
            self.got.to_bits(),
            self.want,
            self.ulp,
        )?;
        match self.allowed.is_infinite() {
            true => write!(f, "and nothing stated that is allowed"),
            false => write!(f, "allowed {:.2}", self.allowed),
        }
    }
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Elements compared.
    pub compared: usize,
    /// Elements whose error is not allowed.
    pub failed: usize,
    /// Elements of f16 and bf16 that are not the number nearest to the reference, those that pass included: what is
    /// computed in f32 and then rounded may come to the other side of the middle between two numbers. None for f32.
    pub misrounded: Option<usize>,
    /// The element that comes nearest to, or goes furthest over, what is allowed. None where nothing
    /// was compared or all is exact.
    pub worst: Option<Finding>,
}

impl Report {
    /// Whether every element passes.
    pub fn passes(&self) -> bool {
        self.failed == 0
    }

    /// Takes in the findings of another part of the same comparison.
    pub fn merge(&mut self, other: Report) {
        self.compared += other.compared;
        self.failed += other.failed;
        self.misrounded = match (self.misrounded, other.misrounded) {
            (Some(one), Some(two)) => Some(one + two),
            (one, two) => one.or(two),
        };
        let share = |worst: &Option<Finding>| worst.as_ref().map_or(0.0, Finding::share);
        if share(&other.worst) > share(&self.worst) {
            self.worst = other.worst;
        }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        let failed = usize::from(!finding.passes());
        self.merge(Report {
            compared: 1,
            failed,
            misrounded: None,
            worst: Some(finding),
        });
    }
}

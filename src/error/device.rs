//! What a device, or what runs it, cannot do.

/// What a device cannot do, or refuses. Sizes are in bytes.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DeviceError {
    /// Something is larger than the device allows.
    #[error("{what} takes {bytes} bytes; this device allows {limit}")]
    TooLarge {
        /// What it is.
        what: String,
        /// Its size.
        bytes: u64,
        /// The device's limit.
        limit: u64,
    },
    /// More operands than one dispatch can have.
    #[error("the kernel needs {operands} operands; this device allows {limit} in one dispatch")]
    TooManyOperands {
        /// What the kernel needs.
        operands: usize,
        /// The device's limit.
        limit: u32,
    },
    /// More workgroups than one dispatch can have.
    #[error(
        "a dispatch has {workgroups:?} workgroups; this device allows {limit} in each dimension"
    )]
    TooManyWorkgroups {
        /// What the kernel needs.
        workgroups: [u32; 3],
        /// The device's limit.
        limit: u32,
    },
    /// A limit, as a host has told it, that no kernel can keep to.
    #[error("the limit {limit} must be {needs}, not {value}")]
    BadLimit {
        /// The limit's name.
        limit: &'static str,
        /// What it must be.
        needs: &'static str,
        /// The value as given.
        value: u32,
    },
    /// A kernel shape that the device cannot run.
    #[error("a workgroup of {workgroup} with {words} words per invocation cannot run: {problem}")]
    BadGeometry {
        /// Invocations in a workgroup.
        workgroup: u32,
        /// Words per invocation.
        words: u32,
        /// What is wrong with it.
        problem: String,
    },
    /// No adapter that can run compute shaders, or none with the name asked for.
    #[error(
        "no adapter {}; found: {}",
        match .wanted {
            Some(text) => format!("whose description contains \"{text}\""),
            None => "that can run compute shaders".into(),
        },
        if .found.is_empty() { "none".into() } else { .found.join("; ") }
    )]
    NoAdapter {
        /// The text asked for.
        wanted: Option<String>,
        /// Descriptions of the adapters that are there.
        found: Vec<String>,
    },
    /// wgpu or the driver refused; the text is theirs.
    #[error("{doing}: {message}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// The message.
        message: String,
    },
}

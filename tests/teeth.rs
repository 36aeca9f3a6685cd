//! The harness can fail: each of these kernels has one mistake, of a kind that codebases of this field have
//! shipped, and the same comparisons that pass the library's kernels must reject it.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;

use common::sentinels::{self, Places};
use common::{download, run_text, upload};
use libtest_mimic::Failed;
use nonlin::check::{self, Report};
use nonlin::{Chain, DType, Element, Gpu, Operand, Pass, half};

/// A mistake: in the kernel of this chain and pass, `right` becomes `wrong`.
struct Mistake {
    name: &'static str,
    chain: &'static str,
    pass: Pass,
    right: &'static str,
    wrong: &'static str,
}

const MISTAKES: [Mistake; 22] = [
    Mistake {
        name: "swapped_select",
        chain: "leaky_relu",
        pass: Pass::Forward,
        right: "select(down, x, m_is_above_zero(x))",
        wrong: "select(x, down, m_is_above_zero(x))",
    },
    Mistake {
        name: "kink_on_the_other_side",
        chain: "relu",
        pass: Pass::Backward,
        right: "bitcast<i32>(x) > 0",
        wrong: "bitcast<i32>(x) >= 0",
    },
    Mistake {
        name: "closed_interval",
        chain: "relu6",
        pass: Pass::Backward,
        right: "x < 6.0",
        wrong: "x <= 6.0",
    },
    Mistake {
        name: "hardswish_slope_at_three",
        chain: "hardswish",
        pass: Pass::Backward,
        right: "x >= 3.0",
        wrong: "x > 3.0",
    },
    Mistake {
        name: "derivative_of_another_function",
        chain: "gelu",
        pass: Pass::Backward,
        right: "0.165077984",
        wrong: "0.16507",
    },
    Mistake {
        name: "nan_is_lost",
        chain: "relu",
        pass: Pass::Forward,
        right: ", f32_is_nan(x_bits))",
        wrong: ", false)",
    },
    Mistake {
        name: "nan_is_lost_backward",
        chain: "relu6",
        pass: Pass::Backward,
        right: "f32_is_nan(x_bits) | ",
        wrong: "",
    },
    Mistake {
        name: "nan_of_a_step_is_lost",
        chain: "scale(0) | relu",
        pass: Pass::Forward,
        right: "m_or_nan(act_relu(v1), v1)",
        wrong: "act_relu(v1)",
    },
    Mistake {
        name: "nan_of_a_step_is_lost_backward",
        chain: "scale(0) | sigmoid",
        pass: Pass::Backward,
        right: "m_or_nan(act_sigmoid_dx(v1), v1)",
        wrong: "act_sigmoid_dx(v1)",
    },
    Mistake {
        name: "an_infinite_gradient_where_there_is_none",
        chain: "relu6",
        pass: Pass::Backward,
        right: "m_masked(dy, act_relu6_dx(x))",
        wrong: "dy * act_relu6_dx(x)",
    },
    Mistake {
        name: "the_last_digit_of_a_coefficient_run",
        chain: "silu",
        pass: Pass::Forward,
        right: "0.166665182",
        wrong: "0.16666",
    },
    Mistake {
        name: "exponential_less_one_by_subtraction",
        chain: "elu",
        pass: Pass::Forward,
        right: "max(power - 1.0, -1.0) + e.s * power",
        wrong: "(1.0 + e.s) * power - 1.0",
    },
    Mistake {
        name: "a_product_in_one_part",
        chain: "quick_gelu",
        pass: Pass::Backward,
        right: "vec2(1.70166016 * head, 1.70166016 * (a - head) + 3.39843750e-4 * a)",
        wrong: "vec2(1.702 * a, 0.0)",
    },
    Mistake {
        name: "a_tie_goes_to_one_side",
        chain: "xielu",
        pass: Pass::Backward,
        right: "select(down, 0.5 * down - 0.5, x == eps)",
        wrong: "down",
    },
    Mistake {
        name: "an_offset_slightly_off",
        chain: "star_relu",
        pass: Pass::Forward,
        right: "scale == 0.0) + bias",
        wrong: "scale == 0.0) + 1.0000005 * bias",
    },
    Mistake {
        name: "built_in_tanh",
        chain: "tanh",
        pass: Pass::Forward,
        right: "act_tanh(x);",
        wrong: "tanh(x);",
    },
    Mistake {
        name: "built_in_exponential",
        chain: "sigmoid",
        pass: Pass::Forward,
        right: "act_sigmoid(x);",
        wrong: "1.0 / (1.0 + exp(-x));",
    },
    Mistake {
        name: "a_tail_that_underflows",
        chain: "silu",
        pass: Pass::Forward,
        right: "v * d.two * d.three",
        wrong: "x * (d.one * d.two * d.three) / (1.0 + d.one * d.two)",
    },
    Mistake {
        name: "gelu_tail_from_one_minus",
        chain: "gelu",
        pass: Pass::Forward,
        right: "select(y, 0.5 * x, a < 1e-30)",
        wrong: "x * (1.0 - (1.0 - y / x))",
    },
    Mistake {
        name: "scale_is_forgotten_backward",
        chain: "scale(0.5) | silu",
        pass: Pass::Backward,
        right: "let g0 = g1 * c.s1_factor;",
        wrong: "let g0 = g1;",
    },
    Mistake {
        name: "derivative_taken_at_the_wrong_value",
        chain: "scale(0.5) | silu",
        pass: Pass::Backward,
        right: "act_silu_dx(v1)",
        wrong: "act_silu_dx(x)",
    },
    Mistake {
        name: "one_lane_reads_its_neighbour",
        chain: "mish",
        pass: Pass::Forward,
        right: "element(w_x[3])",
        wrong: "element(w_x[2])",
    },
];

/// Mistakes that only show at an operand's end.
const LOOSE_ENDS: [Mistake; 3] = [
    Mistake {
        name: "no_tail",
        chain: "",
        pass: Pass::Forward,
        right: "if args.len - 4u * i < 4u {",
        wrong: "if args.len - 4u * i < 0u {",
    },
    Mistake {
        name: "last_element_forgotten",
        chain: "",
        pass: Pass::Forward,
        right: "if left > 2u {",
        wrong: "if left > 3u {",
    },
    Mistake {
        name: "no_guard",
        chain: "",
        pass: Pass::Backward,
        right: "if 4u * i >= args.len {",
        wrong: "if false {",
    },
];

/// Mistakes with 16-bit elements, f16 unless the name says bf16.
const HALVES: [Mistake; 4] = [
    Mistake {
        name: "f16_rounds_towards_zero",
        chain: "silu",
        pass: Pass::Forward,
        right: "0xfffu + ((magnitude >> 13u) & 1u)",
        wrong: "0u",
    },
    Mistake {
        name: "f16_overflow_wraps",
        chain: "scale(16)",
        pass: Pass::Forward,
        right: "min(normal, 0x7c00u)",
        wrong: "normal",
    },
    Mistake {
        name: "f16_subnormals_are_flushed",
        chain: "scale(0.5)",
        pass: Pass::Forward,
        right: "small, magnitude < 0x38800000u",
        wrong: "0u, magnitude < 0x38800000u",
    },
    Mistake {
        name: "bf16_rounds_towards_zero",
        chain: "gelu",
        pass: Pass::Backward,
        right: "bits + 0x7fffu + ((bits >> 16u) & 1u)",
        wrong: "bits",
    },
];

/// The same at an operand's end, where 32 bits are shared with a neighbour.
const LOOSE_HALVES: [Mistake; 2] = [
    Mistake {
        name: "f16_neighbour_is_overwritten",
        chain: "",
        pass: Pass::Forward,
        right: "y[at].y = (y[at].y & 0xffff0000u) | e.z;",
        wrong: "y[at].y = e.z;",
    },
    Mistake {
        name: "f16_last_element_forgotten",
        chain: "",
        pass: Pass::Backward,
        right: "if left == 3u {",
        wrong: "if left == 4u {",
    },
];

impl Mistake {
    /// The kernel of a chain, as it is and with the mistake.
    fn texts(&self, gpu: &Gpu, chain: &Chain, dtype: DType) -> Result<[String; 2], Failed> {
        let right = gpu.kernels().plan(chain, self.pass, dtype)?.wgsl();
        if !right.contains(self.right) {
            return Err(format!(
                "the kernel of {chain} no longer contains \"{}\"",
                self.right
            )
            .into());
        }
        let wrong = right.replace(self.right, self.wrong);
        Ok([right, wrong])
    }

    /// The comparison must pass the kernel as it is, and reject it with the mistake.
    fn must_be_seen<T: Element>(&self, gpu: &Gpu, x: &[T]) -> Result<(), Failed> {
        let chain: Chain = self.chain.parse()?;
        let [right, wrong] = self.texts(gpu, &chain, T::DTYPE)?;
        common::verdict(&compare(gpu, &chain, self.pass, &right, x)?)?;
        match compare(gpu, &chain, self.pass, &wrong, x)?.passes() {
            true => Err("the comparison accepts the mistake".into()),
            false => Ok(()),
        }
    }

    /// The sentinels must pass the kernel as it is, and reject it with the mistake.
    fn must_leave_traces(&self, gpu: &Gpu, dtype: DType) -> Result<(), Failed> {
        let chain = sentinels::chain();
        let texts = self.texts(gpu, &chain, dtype)?;
        let places = Places {
            first: [0, 0, 0],
            one_buffer: false,
            behind: 1024,
            in_place: None,
        };
        let dtypes = vec![dtype; self.pass.operands().len()];
        let [right, wrong] = texts.map(|text| {
            sentinels::run(gpu, self.pass, &dtypes, 1003, places, |operands| {
                run_text(gpu, &text, &chain.values(), operands)
            })
        });
        right?;
        match wrong {
            Ok(()) => Err("the sentinels do not see the mistake".into()),
            Err(_) => Ok(()),
        }
    }
}

/// What the accuracy trials do, with a kernel given as text.
fn compare<T: Element>(
    gpu: &Gpu,
    chain: &Chain,
    pass: Pass,
    source: &str,
    x: &[T],
) -> Result<Report, Failed> {
    let dy = |i| match i {
        _ if i < 1000 && i % 7 == 0 => f64::NAN,
        _ if i % 1009 == 5 => f64::INFINITY,
        _ => 1.0,
    };
    let dy: Vec<T> = (0..x.len()).map(|i| T::from_f64(dy(i))).collect();
    let words = |data: &[T]| -> Vec<u32> { bytemuck::pod_collect_to_vec(data) };
    let inputs = [upload(gpu, &words(x)), upload(gpu, &words(&dy))];
    let output = upload(gpu, &vec![0; words(x).len()]);
    let at = |buffer| Operand::new(buffer, 0, x.len() as u64);
    let operands: Vec<_> = match pass {
        Pass::Forward => vec![at(&inputs[0]), at(&output)],
        _ => vec![at(&inputs[0]), at(&inputs[1]), at(&output)],
    };
    run_text(gpu, source, &chain.values(), &operands)?;
    let result: Vec<T> = bytemuck::pod_collect_to_vec(&download(gpu, &output));
    Ok(match pass {
        Pass::Forward => check::forward(chain, x, &result)?,
        _ => check::backward(chain, x, &dy, &result)?,
    })
}

/// All values of a 16-bit dtype.
fn every_half<T: Element>() -> Vec<T> {
    let patterns: Vec<u16> = (0..=u16::MAX).collect();
    bytemuck::pod_collect_to_vec(&patterns)
}

fn main() -> ! {
    common::main(|trials| {
        for mistake in &MISTAKES {
            trials.add(mistake.name, |gpu| {
                let mut x = check::inputs(&mistake.chain.parse()?, 1 << 16);
                x.truncate(x.len() / 4 * 4);
                mistake.must_be_seen(gpu, &x)
            });
        }
        for mistake in &HALVES {
            trials.add(mistake.name, |gpu| match mistake.name.starts_with("bf16") {
                true => mistake.must_be_seen::<half::bf16>(gpu, &every_half()),
                false => mistake.must_be_seen::<half::f16>(gpu, &every_half()),
            });
        }
        for mistake in &LOOSE_ENDS {
            trials.add(mistake.name, |gpu| {
                mistake.must_leave_traces(gpu, DType::F32)
            });
        }
        for mistake in &LOOSE_HALVES {
            trials.add(mistake.name, |gpu| {
                mistake.must_leave_traces(gpu, DType::F16)
            });
        }
    })
}

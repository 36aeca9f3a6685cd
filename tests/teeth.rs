//! The harness can fail: each of these kernels has one mistake, of a kind that codebases of this field have
//! shipped, and the same comparisons that pass the library's kernels must reject it.

mod common;

use common::sentinels::{self, Places};
use common::{download, run_text, upload};
use libtest_mimic::Failed;
use nonlin::check::{self, Report};
use nonlin::{Chain, Gpu, Operand, Pass};

/// A mistake: in the kernel of this chain and pass, `right` becomes `wrong`.
struct Mistake {
    name: &'static str,
    chain: &'static str,
    pass: Pass,
    right: &'static str,
    wrong: &'static str,
}

const MISTAKES: [Mistake; 15] = [
    Mistake {
        name: "swapped_select",
        chain: "leaky_relu",
        pass: Pass::Forward,
        right: "select(negative_slope * x, x, x > 0.0)",
        wrong: "select(x, negative_slope * x, x > 0.0)",
    },
    Mistake {
        name: "kink_on_the_other_side",
        chain: "relu",
        pass: Pass::Backward,
        right: "x > 0.0",
        wrong: "x >= 0.0",
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
        right: ", nan);",
        wrong: ", Mask());",
    },
    Mistake {
        name: "nan_is_lost_backward",
        chain: "relu6",
        pass: Pass::Backward,
        right: "is_nan(w_x) | ",
        wrong: "",
    },
    Mistake {
        name: "the_last_digit_of_a_coefficient_run",
        chain: "silu",
        pass: Pass::Forward,
        right: "0.166665182",
        wrong: "0.16666",
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
        right: "z < -64.0",
        wrong: "z < -1e9",
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
        right: "chain_y(v_x.w)",
        wrong: "chain_y(v_x.z)",
    },
];

/// Mistakes that only show at an operand's end.
const LOOSE_ENDS: [Mistake; 3] = [
    Mistake {
        name: "no_tail",
        chain: "",
        pass: Pass::Forward,
        right: "if left >= 4u {",
        wrong: "if left >= 0u {",
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

impl Mistake {
    /// The kernel of a chain, as it is and with the mistake.
    fn texts(&self, chain: &Chain) -> Result<[String; 2], Failed> {
        let right = chain.wgsl(self.pass)?;
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
}

fn values(chain: &Chain) -> Vec<f32> {
    chain
        .steps()
        .iter()
        .flat_map(|step| step.values())
        .collect()
}

/// What the accuracy trials do, with a kernel given as text.
fn compare(gpu: &Gpu, chain: &Chain, pass: Pass, source: &str) -> Result<Report, Failed> {
    let mut x = check::inputs(chain, 1 << 16);
    x.truncate(x.len() / 4 * 4);
    let dy: Vec<f32> = (0..x.len())
        .map(|i| {
            if i < 1000 && i % 7 == 0 {
                f32::NAN
            } else {
                1.0
            }
        })
        .collect();
    let bits = |data: &[f32]| -> Vec<u32> { data.iter().map(|v| v.to_bits()).collect() };
    let len = x.len() as u64;
    let inputs = [upload(gpu, &bits(&x)), upload(gpu, &bits(&dy))];
    let output = upload(gpu, &vec![0; x.len()]);
    let at = |buffer| Operand::new(buffer, 0, len);
    let operands: Vec<_> = match pass {
        Pass::Forward => vec![at(&inputs[0]), at(&output)],
        Pass::Backward => vec![at(&inputs[0]), at(&inputs[1]), at(&output)],
    };
    run_text(gpu, source, &values(chain), &operands)?;
    let result: Vec<f32> = download(gpu, &output)
        .into_iter()
        .map(f32::from_bits)
        .collect();
    Ok(match pass {
        Pass::Forward => check::forward(chain, &x, &result)?,
        Pass::Backward => check::backward(chain, &x, &dy, &result)?,
    })
}

fn main() -> std::process::ExitCode {
    common::main(|trials| {
        for mistake in &MISTAKES {
            trials.add(mistake.name, |gpu| {
                let chain: Chain = mistake.chain.parse()?;
                let [right, wrong] = mistake.texts(&chain)?;
                common::verdict(&compare(gpu, &chain, mistake.pass, &right)?)?;
                match compare(gpu, &chain, mistake.pass, &wrong)?.passes() {
                    true => Err("the comparison accepts the mistake".into()),
                    false => Ok(()),
                }
            });
        }
        for mistake in &LOOSE_ENDS {
            trials.add(mistake.name, |gpu| {
                let chain = sentinels::chain();
                let texts = mistake.texts(&chain)?;
                let places = Places {
                    first: [0, 0, 0],
                    one_buffer: false,
                    behind: 1024,
                };
                let [right, wrong] = texts.map(|text| {
                    sentinels::run(gpu, mistake.pass, 1003, places, |operands| {
                        run_text(gpu, &text, &values(&chain), operands)
                    })
                });
                right?;
                match wrong {
                    Ok(()) => Err("the sentinels do not see the mistake".into()),
                    Err(_) => Ok(()),
                }
            });
        }
    })
}

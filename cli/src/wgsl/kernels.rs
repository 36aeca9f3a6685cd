//! What a pass dispatches for operands of some shape, without a device.

use super::{Args, Language};
use crate::layers::Known;
use crate::subject::{Lengths, Spread, refuse};
use crate::{Failure, Result};
use nonlin::layers::{Images, Layer};
use nonlin::{Chain, DType, LayerOperands, Limits, Memory, Operand, Operands, Pass, Recipe};

/// The images, if --shape is not given: those of `nonlin bench`.
const IMAGES: [u64; 4] = [16, 64, 56, 56];

/// A kernel, and how it is dispatched.
pub(super) struct Dispatched {
    pub(super) label: String,
    pub(super) workgroups: [u32; 3],
    pub(super) wgsl: String,
}

impl Dispatched {
    /// Its label and the size of its dispatch, in one line.
    pub(super) fn title(&self) -> String {
        let [x, y, z] = self.workgroups;
        format!("{}: {x} x {y} x {z} workgroups", self.label)
    }
}

/// Each operand in memory of its own, behind `offset` elements.
struct Memories {
    count: u64,
    offset: u64,
}

impl Memories {
    fn new(args: &Args) -> Self {
        Memories {
            count: 0,
            offset: args.offset,
        }
    }

    fn operand(&mut self, len: u64, dtype: DType) -> Operand<'static> {
        self.count += 1;
        let end = len.saturating_add(self.offset);
        let memory = Memory::External {
            id: self.count,
            size: end.saturating_mul(dtype.size()).next_multiple_of(16),
        };
        let at = self.offset.saturating_mul(dtype.size());
        Operand::in_memory(memory, at, len)
    }
}

/// A layer's kernels.
pub(super) fn of_layer(args: &Args, known: &Known) -> Result<Vec<Dispatched>> {
    let options = [("--arg", !args.arg.is_empty())];
    let why = format!("is for chains with operands; {} is a layer", known.name);
    refuse(&options, &why)?;
    let layer = known.build(&args.set)?;
    let default = Lengths(IMAGES.to_vec());
    let shape = args.shape.as_ref().unwrap_or(&default);
    let images = shape.images(args.order.unwrap_or_default())?;
    let dtype = args.dtype.unwrap_or(DType::F32);
    let recipe = layer_recipe(args, &layer, &images, dtype)?;
    Ok(dispatched(&recipe, args.shared))
}

fn layer_recipe(args: &Args, layer: &Layer, images: &Images, dtype: DType) -> Result<Recipe> {
    let pass = args.pass;
    let elements = images.elements()?;
    let listed = layer.parameters(images)?;
    let counts = listed.iter().map(|parameter| parameter.elements());
    let too_many = || Failure("the parameters have more elements than can be counted".into());
    let parameters: Option<u64> = counts.sum();
    let parameters = parameters.ok_or_else(too_many)?;
    let saved = layer.saved_len(images)?;
    let mut memories = Memories::new(args);
    let mut of = |len, dtype| memories.operand(len, dtype);
    let mut operands = LayerOperands::new().x(of(elements, dtype));
    operands = match pass {
        Pass::Forward => operands.y(of(elements, dtype)),
        _ => operands.dy(of(elements, dtype)).dx(of(elements, dtype)),
    };
    operands = operands.parameters(of(parameters, DType::F32));
    if pass != Pass::Forward {
        operands = operands.gradients(of(parameters, DType::F32));
    }
    if saved > 0 {
        operands = operands.saved(of(saved, DType::F32));
    }
    let limits = limits(args);
    Ok(Recipe::layer(
        layer, images, pass, dtype, &operands, &limits,
    )?)
}

/// What every device has; HLSL is for DX12.
fn limits(args: &Args) -> Limits {
    let limits = Limits::default();
    match args.to {
        Language::Hlsl => Limits {
            row_words: Limits::ROW_WORDS_ON_DX12,
            ..limits
        },
        _ => limits,
    }
}

/// A chain's kernels for a shape, with the gradients of all operands that have one.
pub(super) fn of_chain(args: &Args, chain: &Chain, shape: &Lengths) -> Result<Vec<Dispatched>> {
    let layout = shape.layout()?;
    let lengths = Spread::lengths(chain, layout, &args.arg)?;
    let dtype = args.dtype.unwrap_or(DType::F32);
    let elements = layout.outer * layout.channels * layout.inner;
    let mut memories = Memories::new(args);
    let mut of = |len, dtype| memories.operand(len, dtype);
    let mut whole = || of(elements, dtype);
    let mut operands = match args.pass {
        Pass::Forward => Operands::new().x(whole()).y(whole()),
        Pass::Backward => Operands::new().x(whole()).dy(whole()).dx(whole()),
        Pass::BackwardFromY => Operands::new().y(whole()).dy(whole()).dx(whole()),
        Pass::DoubleBackward => Operands::new()
            .x(whole())
            .dy(whole())
            .ddx(whole())
            .ddy(whole())
            .dx(whole()),
    };
    operands = operands.layout(layout);
    for (name, len) in &lengths {
        operands = operands.arg(name, of(*len, dtype), dtype);
        let learned = chain.learnable().contains(&name.as_str());
        if args.pass == Pass::Backward && learned {
            // As the library's own door hands them out.
            operands = operands.grad(name, of(*len, DType::F32), DType::F32);
        }
    }
    let limits = limits(args);
    let recipe = Recipe::new(chain, args.pass, dtype, &operands, &limits)?;
    Ok(dispatched(&recipe, args.shared))
}

fn dispatched(recipe: &Recipe, shared: bool) -> Vec<Dispatched> {
    let dispatches = recipe.dispatches().iter();
    let each = dispatches.map(|dispatch| Dispatched {
        label: dispatch.label().to_owned(),
        workgroups: dispatch.workgroups(),
        wgsl: match shared {
            true => dispatch.wgsl().to_owned(),
            false => dispatch.wgsl_apart(),
        },
    });
    each.collect()
}

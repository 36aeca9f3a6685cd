//! `nonlin run` on a layer.

use super::{Args, Engine, Output, read, read_like, rounded};
use crate::arguments::Named;
use crate::layers::Known;
use crate::npy::{Order, Shape, Written, text};
use crate::output::Progress;
use crate::{Failure, Result, Verdict};
use nonlin::layers::{self, Images, Layer, Parameter, Parameters};
use nonlin::{Element, Error, LayerError, Pass};
use std::collections::HashMap;
use std::path::Path;

pub(super) fn run<T: Element>(args: &Args, known: &Known) -> Result<Verdict> {
    refuse_useless(args, known)?;
    let layer = known.build(&args.set)?;
    super::refuse_same_files(args)?;
    let x = read::<T>(&args.x)?;
    let shape = x.shape.clone();
    let images = images(known, &args.x, &shape.dimensions, args.channel_axis)?;
    let listed = layer.parameters(&images)?;
    check_names(args, &layer, &listed)?;
    let (parameters, shapes) = read_parameters(args, known, &listed, images.order)?;
    let x = x.in_order(Order::C).data;
    let dy = match &args.dy {
        Some(dy) => Some(read_like::<T>(&shape, &args.x, dy)?.in_order(Order::C).data),
        None => None,
    };
    let work = Work {
        engine: Engine::new(args)?,
        name: known.name,
        layer,
        images,
        parameters,
        shapes,
        shape,
        written: args.written(),
        x,
    };
    let forward = args.y.is_some() || !args.new.is_empty();
    let passes = u64::from(forward) + u64::from(dy.is_some());
    let progress = Progress::new(passes * work.x.len() as u64);
    let mut results = Vec::new();
    if forward {
        results.extend(work.pass(&progress, args.y.as_deref(), &args.new, None)?);
    }
    if let Some(dy) = &dy {
        results.extend(work.pass(&progress, args.dx.as_deref(), &args.grad, Some(dy))?);
    }
    drop(progress);
    super::keep(&work.engine, results)
}

/// What both passes have in common.
struct Work<'a, T> {
    engine: Engine,
    /// What the layer was called.
    name: &'static str,
    layer: Layer,
    images: Images,
    parameters: Parameters,
    /// The shapes of the parameters' files.
    shapes: HashMap<&'a str, Shape>,
    /// x's.
    shape: Shape,
    /// How y and dx are written.
    written: Written,
    x: Vec<T>,
}

impl<T: Element> Work<'_, T> {
    /// Computes a pass, backward where there is dy, and writes its image to `path`, if there is one, and these tensors.
    fn pass(
        &self,
        progress: &Progress,
        path: Option<&Path>,
        tensors: &[Named],
        dy: Option<&[T]>,
    ) -> Result<Vec<Output>> {
        let name = self.name;
        let pass = match dy {
            None => Pass::Forward,
            Some(_) => Pass::Backward,
        };
        progress.doing(pass.to_string());
        let image = path.map(|path| {
            Output::create(path, &self.shape, self.written, format!("{pass} of {name}"))
        });
        let mut image = image.transpose()?;
        let mut outputs = Vec::new();
        for tensor in tensors {
            let what = match pass {
                Pass::Forward => format!("new {} of {name}", tensor.name),
                _ => format!("gradient of {} in {name}", tensor.name),
            };
            let shape = &self.shapes[tensor.name.as_str()];
            outputs.push(Output::create(&tensor.path, shape, Written::F32, what)?);
        }
        let Work {
            engine,
            layer,
            images,
            parameters,
            x,
            ..
        } = self;
        let (computed, named) = engine.compute_layer(layer, images, parameters, x, dy)?;
        if let Some(image) = &mut image {
            image.write(computed, Order::C)?;
        }
        for (output, tensor) in outputs.iter_mut().zip(tensors) {
            let values = named.get(&tensor.name).unwrap_or_default();
            output.write(rounded::<f32>(values), Order::C)?;
        }
        progress.advance(x.len() as u64);
        Ok(image.into_iter().chain(outputs).collect())
    }
}

impl Engine {
    /// y and new running statistics; or, where there is dy, dx and the gradients of parameters.
    fn compute_layer<T: Element>(
        &self,
        layer: &Layer,
        images: &Images,
        parameters: &Parameters,
        x: &[T],
        dy: Option<&[T]>,
    ) -> Result<(Vec<T>, Parameters)> {
        Ok(match (self, dy) {
            (Engine::Cpu, None) => {
                let outputs = layer.forward(images, parameters, x)?;
                (rounded(&outputs.y), outputs.running)
            }
            (Engine::Cpu, Some(dy)) => {
                let gradients = layer.backward(images, parameters, x, dy)?;
                (rounded(&gradients.dx), gradients.parameters)
            }
            (Engine::Gpu(gpu), None) => gpu.layer_forward(layer, images, parameters, x)?,
            (Engine::Gpu(gpu), Some(dy)) => gpu.layer_backward(layer, images, parameters, x, dy)?,
        })
    }
}

/// Refuses options that say nothing of layers.
fn refuse_useless(args: &Args, known: &Known) -> Result<()> {
    let options = [
        ("--seed", args.seed.is_some()),
        ("--offset", args.offset.is_some()),
        ("--eval", args.eval),
    ];
    if args.packed.is_some() {
        return Err(Failure(format!(
            "--packed is for chains with a gate; {} is a layer",
            known.name
        )));
    }
    match options.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(Failure(format!(
            "{option} is for chains with dropout or rrelu; {} is a layer",
            known.name
        ))),
    }
}

/// How x, of this shape and file, is made of images.
fn images(known: &Known, file: &Path, x: &[u64], channel_axis: Option<i64>) -> Result<Images> {
    let [a, b, c, d] = *x else {
        return Err(Failure(format!(
            "{} works on images: x must be N x C x H x W, or N x H x W x C with --channel-axis -1; {} has \
             the shape {}",
            known.name,
            file.display(),
            text(x)
        )));
    };
    match channel_axis {
        None | Some(1 | -3) => Ok(Images::nchw(a, b, c, d)),
        Some(3 | -1) => Ok(Images::nhwc(a, b, c, d)),
        Some(axis) => Err(Failure(format!(
            "--channel-axis {axis}: {} takes images of N x C x H x W, whose channel axis is 1, or N x H x W x C, \
             whose channel axis is -1",
            known.name
        ))),
    }
}

/// Refuses names that the layer does not have, or not for this, or that come twice; and a layer without all of
/// its parameters.
fn check_names(args: &Args, layer: &Layer, listed: &[Parameter]) -> Result<()> {
    let name = layer.name();
    for (option, files) in [
        ("--arg", &args.arg),
        ("--grad", &args.grad),
        ("--new", &args.new),
    ] {
        for (index, Named { name: file, .. }) in files.iter().enumerate() {
            let Some(parameter) = listed.iter().find(|parameter| parameter.name == *file) else {
                let unknown = Error::Layer(LayerError::UnknownTensor {
                    layer: name,
                    name: file.clone(),
                    known: listed.iter().map(|known| known.name.clone()).collect(),
                });
                return Err(Failure(format!("{option} {file}: {unknown}")));
            };
            let problem = match option {
                "--grad" if !parameter.learned => "running statistics have no gradient",
                "--new" if parameter.learned => "it is no running statistic",
                "--new" if !layer.trains() => {
                    "running statistics are new with --set norm=train only"
                }
                _ if files[..index].iter().any(|other| other.name == *file) => {
                    return Err(Failure(format!("{option} {file} is given twice")));
                }
                _ => continue,
            };
            return Err(Failure(format!("{option} {file}: {problem}")));
        }
    }
    let is_given = |name: &str| args.arg.iter().any(|given| given.name == name);
    match listed.iter().find(|parameter| !is_given(&parameter.name)) {
        None => Ok(()),
        Some(parameter) => {
            let missing = Error::Layer(LayerError::MissingTensor {
                layer: name,
                name: parameter.name.clone(),
                shape: parameter.shape.clone(),
            });
            let file = &parameter.name;
            Err(Failure(format!("{missing}: --arg {file}=FILE")))
        }
    }
}

/// Reads the layer's parameters, and the shapes of their files by name.
fn read_parameters<'a>(
    args: &'a Args,
    known: &Known,
    listed: &[Parameter],
    order: layers::Order,
) -> Result<(Parameters, HashMap<&'a str, Shape>)> {
    let mut parameters = Parameters::new();
    let mut shapes = HashMap::new();
    for Named { name, path } in &args.arg {
        let array = read::<f32>(path)?;
        if let Some(parameter) = listed.iter().find(|parameter| parameter.name == *name) {
            let allowed = allowed(&parameter.shape, order);
            if !allowed.contains(&array.shape.dimensions) {
                let allowed: Vec<_> = allowed.iter().map(|shape| text(shape)).collect();
                return Err(Failure(format!(
                    "--arg {name}: {} has the shape {}, but {} needs {}",
                    path.display(),
                    array.shape.text(),
                    known.name,
                    allowed.join(" or ")
                )));
            }
        }
        shapes.insert(name.as_str(), array.shape.clone());
        parameters = parameters.with(name, &array.in_order(Order::C).data);
    }
    Ok((parameters, shapes))
}

/// The shapes that a parameter's file may have: PyTorch's; of one value per channel, those that broadcast over
/// images; of a fully connected layer, that of a convolution of 1 x 1.
fn allowed(shape: &[u64], order: layers::Order) -> Vec<Vec<u64>> {
    let mut all = vec![shape.to_vec()];
    match *shape {
        [count] => {
            all.extend([vec![count, 1, 1], vec![1, count, 1, 1]]);
            if order == layers::Order::Nhwc && count != 1 {
                all.push(vec![1, 1, 1, count]);
            }
            if count == 1 {
                all.push(Vec::new());
            }
        }
        [outputs, inputs] => all.push(vec![outputs, inputs, 1, 1]),
        _ => {}
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use layers::Order::{Nchw, Nhwc};

    #[test]
    fn shapes_of_files() {
        let cases: &[(&[u64], layers::Order, &str)] = &[
            (&[3], Nchw, "(3,) (3, 1, 1) (1, 3, 1, 1)"),
            (&[3], Nhwc, "(3,) (3, 1, 1) (1, 3, 1, 1) (1, 1, 1, 3)"),
            (&[1], Nhwc, "(1,) (1, 1, 1) (1, 1, 1, 1) ()"),
            (&[4, 3], Nchw, "(4, 3) (4, 3, 1, 1)"),
            (&[3, 1, 5, 1], Nhwc, "(3, 1, 5, 1)"),
        ];
        for (shape, order, wanted) in cases {
            let all: Vec<_> = allowed(shape, *order).iter().map(|s| text(s)).collect();
            assert_eq!(all.join(" "), *wanted);
        }
    }
}

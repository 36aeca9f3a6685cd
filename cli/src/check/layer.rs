//! `nonlin check` on layers: every tensor of both passes, on images of a shape.

use super::MOST;
use super::found::{Checked, Comparison};
use crate::layers::{Given, Known};
use crate::seeded::{self, noise};
use crate::subject::Lengths;
use crate::{Failure, Result};
use nonlin::check::{ExpectedLayer, LayerFinding, LayerReport};
use nonlin::layers::{Images, Layer, Order, Parameter, Parameters};
use nonlin::{Element, Gpu};
use serde_json::{Value, json};

/// The images, if --shape is not given: several workgroups to each sum, and planes of whole words.
pub(super) const SHAPE: [u64; 4] = [4, 16, 28, 28];

/// A layer, and what it is compared on.
pub(super) struct Job {
    text: String,
    layer: Layer,
    shape: Lengths,
    images: Images,
    listed: Vec<Parameter>,
}

impl Job {
    pub(super) fn new(known: &Known, set: &[Given], shape: Lengths, order: Order) -> Result<Self> {
        let layer = known.build(set)?;
        let images = shape.images(order)?;
        let listed = layer.parameters(&images)?;
        for parameter in &listed {
            if parameter.elements().is_none_or(|elements| elements > MOST) {
                return Err(Failure(format!(
                    "--shape {shape}: {} has the shape {:?} then; at most {MOST} elements can be compared",
                    parameter.name, parameter.shape
                )));
            }
        }
        let mut text = known.name.to_owned();
        set.iter().for_each(|given| text += &format!(" {given}"));
        Ok(Job {
            text,
            layer,
            shape,
            images,
            listed,
        })
    }

    pub(super) fn elements(&self) -> u64 {
        self.shape.0.iter().product()
    }

    /// y and new running statistics, dx and the gradient of each learned parameter.
    pub(super) fn compare<T: Element>(&self, gpu: &Gpu, seed: u64) -> Result<Vec<Checked>> {
        let reports = self.reports::<T>(gpu, seed)?;
        let checked = reports.into_iter().map(|report| Checked {
            subject: self.text.clone(),
            shape: Some(self.shape.to_string()),
            order: Some(self.images.order),
            pass: report.pass,
            tensor: Some(report.name.clone()),
            comparison: Comparison::Tensor(report),
        });
        Ok(checked.collect())
    }

    /// An element of x: each channel of a sample has a mean of its own, or those of large images are all about zero.
    fn x_at(&self, seed: u64, index: u64) -> f32 {
        let Images {
            channels,
            height,
            width,
            order,
            ..
        } = self.images;
        let places = height * width;
        let plane = match order {
            Order::Nchw => index / places,
            Order::Nhwc => index / (channels * places) * channels + index % channels,
        };
        2.0 * noise(seed, 0, index) + 0.5 * noise(seed, 2, plane)
    }

    fn reports<T: Element>(&self, gpu: &Gpu, seed: u64) -> Result<Vec<LayerReport>> {
        let stored = |value: f32| T::from_f64(f64::from(value));
        let (x, dy): (Vec<T>, Vec<T>) = (0..self.elements())
            .map(|i| (stored(self.x_at(seed, i)), stored(noise(seed, 1, i))))
            .unzip();
        let mut parameters = Parameters::new();
        for (parameter, tensor) in self.listed.iter().zip(3..) {
            let mut values = seeded::parameter(parameter, |i| noise(seed, tensor, i));
            if parameter.name == "fc1_bias" {
                // Most of what a small layer holds shall pass its ReLU, or gradients are zero.
                values.iter_mut().for_each(|value| *value += 0.75);
            }
            parameters = parameters.with(&parameter.name, &values);
        }
        let (layer, images) = (&self.layer, &self.images);
        let (y, running) = gpu.layer_forward(layer, images, &parameters, &x)?;
        let (dx, gradients) = gpu.layer_backward(layer, images, &parameters, &x, &dy)?;
        let expected = ExpectedLayer::new(layer, images, &parameters, &x, &dy)?;
        let mut reports = expected.forward(&y, &running)?;
        reports.extend(expected.backward(&dx, &gradients)?);
        Ok(reports)
    }
}

/// What the table of layers has beside subject, pass and tensor.
pub(super) fn row(report: &LayerReport) -> [String; 3] {
    let worst = report.worst.as_ref().map_or(0.0, |worst| worst.off);
    [worst, report.allowed, report.magnitude].map(|number| format!("{number:.2e}"))
}

pub(super) fn finding(finding: &LayerFinding) -> Value {
    use crate::output::number;
    json!({
        "index": finding.index,
        "got": number(finding.got),
        "want": number(finding.want),
        "off": number(finding.off),
    })
}

//! What can be wrong with a layer.

use super::shown;

/// What can be wrong with a layer: its text, its settings, its images and its parameters. Lengths are in elements.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LayerError {
    /// A layer's setting that has no meaning.
    #[error("{layer}: {setting} must be {needs}, not {}", shown(.value))]
    BadSetting {
        /// The layer's name.
        layer: &'static str,
        /// The setting.
        setting: &'static str,
        /// What it must be.
        needs: String,
        /// The value as given.
        value: String,
    },
    /// Double backward was asked of a layer.
    #[error("{layer} has no second derivatives here: double backward is for chains")]
    NoSecondDerivative {
        /// The layer's name.
        layer: &'static str,
    },
    /// A setting that the layer does not have.
    #[error("{layer} has no setting \"{}\"; it has {}", shown(.setting), .known.join(", "))]
    UnknownSetting {
        /// The layer's name.
        layer: &'static str,
        /// The setting as given.
        setting: String,
        /// The settings that it has.
        known: Vec<&'static str>,
    },
    /// A setting of something that the layer, with its other settings, does not have.
    #[error("{layer}: {setting} changes nothing without {needs}")]
    UselessSetting {
        /// The layer's name.
        layer: &'static str,
        /// The setting.
        setting: &'static str,
        /// What must be set besides.
        needs: &'static str,
    },
    /// Text that is no layer.
    #[error("cannot read \"{}\" of a layer: {problem}", shown(.text))]
    Syntax {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Images that a layer cannot work on.
    #[error(
        "images of {samples} samples, {channels} channels, {height} rows, {width} columns: {problem}"
    )]
    BadImages {
        /// How many images.
        samples: u64,
        /// Channels.
        channels: u64,
        /// Rows.
        height: u64,
        /// Columns.
        width: u64,
        /// What is wrong with them.
        problem: &'static str,
    },
    /// A layer's parameter, or x or dy, whose length is not that of its shape.
    #[error(
        "{name} has {len} elements; its shape is {shape:?}, which takes {}",
        match .shape.iter().try_fold(1u64, |product, length| product.checked_mul(*length)) {
            Some(elements) => elements.to_string(),
            None => "more than can be counted".into(),
        }
    )]
    BadTensor {
        /// The tensor's name.
        name: String,
        /// The shape that it must have.
        shape: Vec<u64>,
        /// Its length.
        len: u64,
    },
    /// A layer's parameter was not given.
    #[error("{layer} needs the parameter {name}, of shape {shape:?}")]
    MissingTensor {
        /// The layer's name.
        layer: &'static str,
        /// The parameter.
        name: String,
        /// Its shape.
        shape: Vec<u64>,
    },
    /// A parameter was given that the layer, with its settings, does not have.
    #[error("{layer} has no parameter \"{name}\" here; it has {}", .known.join(", "))]
    UnknownTensor {
        /// The layer's name.
        layer: &'static str,
        /// The parameter.
        name: String,
        /// The parameters that it has.
        known: Vec<String>,
    },
}

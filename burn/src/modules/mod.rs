//! Layers as burn's users write them: a config, a module whose parameters train and are saved, and `forward`.

mod layers;
mod learned;
mod plain;
mod random;
mod rows;

pub use layers::{
    DynamicRelu, DynamicReluConfig, DynamicReluVariant, Frelu, FreluConfig, MetaAcon,
    MetaAconConfig,
};
pub use learned::{
    AconB, AconBConfig, AconC, AconCConfig, Celu, CeluConfig, Elu, EluConfig, LeakyRelu,
    LeakyReluConfig, Prelu, PreluConfig, StarRelu, StarReluConfig, Swish, SwishConfig, Xielu,
    XieluConfig,
};
pub use plain::{Chained, ChainedConfig, Glu, GluConfig, SwiGlu, SwiGluConfig};
pub use random::{Rrelu, RreluConfig};
pub use rows::{
    AttentionWeights, AttentionWeightsConfig, RmsNormGated, RmsNormGatedConfig, masked,
};

//! A network of burn on real data reaches the same loss with nonlin's activations as with burn's own.

#[expect(dead_code, reason = "the example's main")]
#[path = "../../examples/burn_train.rs"]
mod burn_train;

use crate::common::{Result, Trials};
use burn::tensor::Device;

fn same_loss(device: &Device) -> Result {
    let [burn, nonlin] = burn_train::both(2, 1, device).map_err(|error| error.to_string())?;
    let (first, last) = (burn.losses[0], burn.losses[1]);
    if last.is_nan() || last >= 0.5 * first {
        return Err(format!("it does not learn: {:?}", burn.losses).into());
    }
    for (epoch, (burn, nonlin)) in burn.losses.iter().zip(&nonlin.losses).enumerate() {
        // Roundings differ, and training carries them on.
        if (burn - nonlin).abs() > 5e-3 * burn {
            return Err(format!("epoch {epoch}: {nonlin} with nonlin, {burn} with burn").into());
        }
    }
    if (burn.accuracy - nonlin.accuracy).abs() > 0.02 {
        return Err(format!("accuracies {} and {}", burn.accuracy, nonlin.accuracy).into());
    }
    Ok(())
}

pub(crate) fn add(on: &mut Trials) {
    on.add("training::same_loss", same_loss);
}

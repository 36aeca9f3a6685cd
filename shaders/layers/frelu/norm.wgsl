// What stands behind a convolution: hat = (conv - center) scale, and its part of T is gain hat + lift. Without a norm
// that is the convolution and its bias.
alias V = vec4<f32>; //#stub
alias C = f32; //#stub

struct Norm {
    center: C,
    scale: C,
    gain: C,
    lift: C,
}

fn norm_hat(n: Norm, conv: V) -> V {
    return (conv - n.center) * n.scale;
}

fn norm_value(n: Norm, hat: V) -> V {
    return n.gain * hat + n.lift;
}

// What goes back through it. Where a norm trains, its mean and its variance are the batch's, and hang on every
// convolution: by `mean` and `variance` a gradient loses what goes back by way of these.
struct Back {
    factor: C,
    mean: C,
    variance: C,
}

override TRAINS: bool = false;

// The gradient of a convolution, from that of T.
fn norm_back(b: Back, dt: V, hat: V) -> V {
    if TRAINS {
        return (dt + b.mean + b.variance * hat) * b.factor;
    }
    return dt * b.factor;
}

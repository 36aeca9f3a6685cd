// No norm, or its gradients are there already.
fn bn_gradients(c: u32) {
    return;
}

//! nonlin inside burn, on every adapter that is found: values and gradients beside nonlin's f64 reference and
//! beside burn on its CPU backend, under load, from several threads.

mod common;
mod data_parallel;
mod in_place;
mod layers;
mod load;
mod lost;
mod modules;
mod refusals;
mod rows;
mod second;
#[cfg(feature = "vulkan")]
mod spirv;
mod tensors;
mod training;
mod values;

fn main() -> ! {
    common::main(cfg!(feature = "fusion"), |on| {
        // Where kernels go by another way, what they compute is known already.
        if !on.adapter().ends_with(common::SHARED) {
            data_parallel::add(on);
            lost::add(on);
        }
        if cfg!(feature = "vulkan") || !on.adapter().ends_with(common::SHARED) {
            values::add(on);
            modules::add(on);
            if common::multiplies(on.adapter()) {
                training::add(on);
            }
        }
        #[cfg(feature = "vulkan")]
        spirv::add(on);
        tensors::add(on);
        rows::add(on);
        second::add(on);
        layers::add(on);
        in_place::add(on);
        refusals::add(on);
        load::add(on);
    })
}

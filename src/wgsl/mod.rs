//! The only floor that writes WGSL: kernels made of shader files, and of what depends on how many operands and steps
//! there are.

mod chain;
mod conditions;
mod custom;
mod derive;
mod element;
mod exact;
mod files;
mod form;
mod items;
mod kernel;
#[cfg(test)]
mod lint;
mod listed;
mod printed;
mod row_gradients;
mod rows;
mod slots;
mod steps;
mod stubs;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use chain::arg;
pub(crate) use exact::settles;
pub(crate) use files::{Kernel, Text, all_written};
pub(crate) use form::{
    Access, Args, At, Body, Form, Input, LANES, Output, Place, RowArgs, Strips, SumOf, Sweep,
    SweepArgs, divisor, fields,
};
pub(crate) use items::mentions;
pub(crate) use kernel::{finish, kernel};
pub(crate) use steps::{WORKGROUP, in_one_dispatch, in_one_workgroup};

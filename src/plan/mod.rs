//! What a pass dispatches for given operands, as text and numbers, on no device.
//!
//! A [`Task`](task::Task) checks its operands ([`operands`]), makes slots of them ([`slots`]), and cuts the work
//! ([`work`], [`sweep`]) into dispatches ([`dispatch`]). The result is a list of [`Launch`](launch::Launch)es, which
//! gpu/ binds and [`recipe`] hands out. Layers go another way to the same list ([`layer`]).

mod dispatch;
pub(crate) mod launch;
pub(crate) mod layer;
pub(crate) mod layer_operands;
pub(crate) mod limits;
pub(crate) mod memory;
pub(crate) mod operand;
pub(crate) mod operands;
pub(crate) mod placed;
pub(crate) mod recipe;
mod rows;
mod slots;
mod sweep;
pub(crate) mod task;
mod work;

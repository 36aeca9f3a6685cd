//! Waiting for a device: as a future, which is all that the web has, and until it is done.

use crate::error::{DeviceError, Error};
use std::future::Future;

/// Runs `work` and turns what wgpu reports meanwhile into an error; wgpu's default is a panic. All is done when this
/// returns: the future only waits to hear of it.
pub(super) fn watched<T>(
    device: &wgpu::Device,
    doing: &'static str,
    work: impl FnOnce() -> Result<T, Error>,
) -> impl Future<Output = Result<T, Error>> {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    // The last one pushed is heard first: memory that ran out explains what is invalid after it.
    let scopes = [Validation, Internal, OutOfMemory].map(|filter| device.push_error_scope(filter));
    let result = work();
    let [validation, internal, memory] = scopes;
    // The last one pushed is the first to be popped. All are, whichever of them caught something.
    let memory = memory.pop();
    let internal = internal.pop();
    let validation = validation.pop();
    async move {
        let caught = [memory.await, internal.await, validation.await];
        match caught.into_iter().flatten().next() {
            Some(error) => Err(Error::Device(DeviceError::Refused {
                doing,
                message: error.to_string().trim().to_owned(),
            })),
            None => result,
        }
    }
}

/// The same for what does not wait, such as compiling and binding. On the web nobody can be told at once: there, what goes
/// wrong is heard by the scopes around it.
pub(super) fn guarded<T>(
    device: &wgpu::Device,
    doing: &'static str,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    #[cfg(target_arch = "wasm32")]
    {
        let _ = (device, doing);
        work()
    }
    #[cfg(not(target_arch = "wasm32"))]
    pollster::block_on(watched(device, doing, work))
}

/// Whether a buffer could be mapped, as soon as it is. A device that was lost before has an invalid buffer here, which
/// wgpu does not tell where it is made but where it is used.
pub(super) async fn mapped(
    device: &wgpu::Device,
    buffer: &wgpu::Buffer,
    bytes: u64,
) -> Result<(), Error> {
    let doing = "reading the result";
    let failed = |message: String| Error::Device(DeviceError::Refused { doing, message });
    let (sender, receiver) = futures_channel::oneshot::channel();
    let asked = watched(device, doing, || {
        buffer.map_async(wgpu::MapMode::Read, ..bytes, move |mapped| {
            _ = sender.send(mapped);
        });
        Ok(())
    });
    asked.await?;
    match receiver.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed("the device did not answer".into())),
    }
}

/// A future that somebody polls the device for, as browsers do by themselves: a thread does while nothing else happens.
#[cfg(not(target_arch = "wasm32"))]
pub(super) async fn polled<T>(device: &wgpu::Device, future: impl Future<Output = T>) -> T {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let mut future = std::pin::pin!(future);
    let is_polling = Arc::new(AtomicBool::new(false));
    std::future::poll_fn(|context| {
        let state = future.as_mut().poll(context);
        if state.is_pending() && !is_polling.swap(true, Ordering::AcqRel) {
            let (device, is_polling) = (device.clone(), Arc::clone(&is_polling));
            let waker = context.waker().clone();
            std::thread::spawn(move || {
                // A device that is lost tells the mapping.
                _ = device.poll(wgpu::PollType::wait_indefinitely());
                is_polling.store(false, Ordering::Release);
                // What was asked for meanwhile needs another turn.
                waker.wake();
            });
        }
        state
    })
    .await
}

#[cfg(target_arch = "wasm32")]
pub(super) async fn polled<T>(_device: &wgpu::Device, future: impl Future<Output = T>) -> T {
    future.await
}

/// Waits until a future is done, and polls the device for it.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn wait<T>(device: &wgpu::Device, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    pollster::block_on(std::future::poll_fn(|context| {
        loop {
            let state = future.as_mut().poll(context);
            if state.is_ready() {
                return state;
            }
            // A device that is lost tells the mapping. Another thread that polls the same device may be the one that
            // answers, and just about to.
            _ = device.poll(wgpu::PollType::wait_indefinitely());
            std::thread::yield_now();
        }
    }))
}

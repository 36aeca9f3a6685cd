//! Buffers, and what the device says.

use super::{Bench, COMPARED};
use crate::{Failure, Result};
use nonlin::wgpu::{self, BufferUsages, CommandEncoder, ErrorFilter};
use nonlin::{DeviceError, Element, Error};

impl<T: Element> Bench<'_, T> {
    /// The first and the last elements in a buffer.
    pub(super) fn ends(&self, buffer: &wgpu::Buffer) -> Result<Vec<T>> {
        let most = COMPARED * T::DTYPE.size();
        let first = buffer.size().min(most);
        let last = (buffer.size() - first).min(most);
        let readback = self.gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("nonlin readback"),
            size: first + last,
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.encoder();
        encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, first);
        encoder.copy_buffer_to_buffer(buffer, buffer.size() - last, &readback, first, last);
        self.gpu.queue().submit([encoder.finish()]);
        readback.map_async(wgpu::MapMode::Read, .., |_| {});
        self.wait()?;
        let view = readback.get_mapped_range(..).map_err(lost)?;
        let mut elements: Vec<T> = bytemuck::cast_slice(&view).to_vec();
        // Behind the elements the buffer is filled up to whole words.
        let filling = buffer.size() / T::DTYPE.size() - self.len;
        elements.truncate(elements.len() - filling as usize);
        Ok(elements)
    }

    /// The first elements in a buffer.
    pub(super) fn read<E: Element>(&self, buffer: &wgpu::Buffer, len: u64) -> Result<Vec<E>> {
        let bytes = (len * E::DTYPE.size()).next_multiple_of(4);
        let gpu = self.gpu;
        let readback = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("nonlin readback"),
            size: bytes,
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.encoder();
        encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, bytes);
        gpu.queue().submit([encoder.finish()]);
        readback.map_async(wgpu::MapMode::Read, .., |_| {});
        self.wait()?;
        let view = readback.get_mapped_range(..).map_err(lost)?;
        Ok(bytemuck::cast_slice(&view)[..len as usize].to_vec())
    }

    pub(super) fn encoder(&self) -> CommandEncoder {
        let device = self.gpu.device();
        device.create_command_encoder(&Default::default())
    }
    pub(super) fn wait(&self) -> Result<()> {
        let done = self.gpu.device().poll(wgpu::PollType::wait_indefinitely());
        done.map(|_| ()).map_err(lost)
    }

    /// A buffer for all elements and, so that whole words can be read, up to three more.
    pub(super) fn buffer(&self, what: &'static str) -> Result<wgpu::Buffer> {
        self.sized(what, self.len)
    }

    pub(super) fn sized(&self, what: &'static str, len: u64) -> Result<wgpu::Buffer> {
        let size = (len * T::DTYPE.size()).next_multiple_of(16);
        let limit = self.gpu.device().limits().max_buffer_size;
        if size > limit {
            let what = "a buffer for --len elements";
            return Err(Error::Device(DeviceError::TooLarge {
                what: what.to_owned(),
                bytes: size,
                limit,
            })
            .into());
        }
        let buffer = self.gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(what),
            size,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Ok(buffer)
    }

    /// How many sets of buffers take turns.
    pub(super) fn sets(&self) -> u64 {
        self.stage.sets(2 * self.len * T::DTYPE.size())
    }

    /// A buffer with its elements set. What has the same name and length has the same elements: the second is copied from
    /// the first.
    pub(super) fn inputs(&self, what: &'static str, at: fn(u64) -> f32) -> Result<wgpu::Buffer> {
        let key = (what, self.len);
        let original = self.stage.originals.borrow().get(&key).cloned();
        let Some(original) = original else {
            let filled = self.filled(what, self.len, at)?;
            let mut originals = self.stage.originals.borrow_mut();
            originals.insert(key, filled.clone());
            return Ok(filled);
        };
        let copy = self.buffer(what)?;
        let mut encoder = self.encoder();
        encoder.copy_buffer_to_buffer(&original, 0, &copy, 0, original.size());
        self.gpu.queue().submit([encoder.finish()]);
        Ok(copy)
    }

    pub(super) fn filled(
        &self,
        what: &'static str,
        len: u64,
        at: impl Fn(u64) -> f32,
    ) -> Result<wgpu::Buffer> {
        const PIECE: usize = 1 << 20;
        let buffer = self.sized(what, len)?;
        for start in (0..len).step_by(PIECE) {
            let end = len.min(start + PIECE as u64);
            let piece = (start..end).map(|index| T::from_f64(at(index).into()));
            let mut piece: Vec<T> = piece.collect();
            // wgpu writes whole words of 4 bytes; the buffer has room for them.
            piece.resize(piece.len().next_multiple_of(4), T::from_f64(0.0));
            let bytes = bytemuck::cast_slice(&piece);
            let offset = start * T::DTYPE.size();
            self.gpu.queue().write_buffer(&buffer, offset, bytes);
            // Else wgpu would hold all pieces until the first submit.
            self.gpu.queue().submit([]);
            self.wait()?;
        }
        Ok(buffer)
    }

    /// Turns what wgpu reports during the work into an error; by default wgpu panics.
    pub(super) fn guarded<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<R> {
        // A buffer that got no memory also makes its every use invalid: the cause comes first.
        let filters = [
            ErrorFilter::Validation,
            ErrorFilter::Internal,
            ErrorFilter::OutOfMemory,
        ];
        let scopes = filters.map(|filter| self.gpu.device().push_error_scope(filter));
        let result = work();
        let mut caught = None;
        for scope in scopes.into_iter().rev() {
            let error = pollster::block_on(scope.pop());
            caught = caught.or(error);
        }
        match caught {
            Some(wgpu::Error::OutOfMemory { .. }) => Err(Failure(format!(
                "the device has not enough memory to bench {} elements, {} sets of buffers",
                self.len,
                self.sets()
            ))),
            Some(error) => Err(device_error("the bench", error)),
            None => result,
        }
    }
}

fn lost(error: impl std::fmt::Display) -> Failure {
    device_error("waiting for the device", error)
}

fn device_error(doing: &'static str, error: impl std::fmt::Display) -> Failure {
    let message = error.to_string().trim().to_owned();
    Error::Device(DeviceError::Refused { doing, message }).into()
}

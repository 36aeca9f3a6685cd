//! How tensors lie in memory.

use burn_cubecl::tensor::CubeTensor;

/// Where a tensor's elements are from its first one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum View {
    /// Beside each other.
    Flat(u64),
    /// In rows with gaps between them.
    Rows { rows: u64, len: u64, stride: u64 },
}

impl View {
    /// Elements.
    pub(crate) fn len(&self) -> u64 {
        match *self {
            View::Flat(len) => len,
            View::Rows { rows, len, .. } => rows * len,
        }
    }

    /// Bytes from the first element to the last.
    pub(crate) fn bytes(&self, size: u64) -> u64 {
        match *self {
            View::Flat(len) => len * size,
            View::Rows { rows, len, stride } => ((rows - 1) * stride + len) * size,
        }
    }

    /// How a tensor lies whose axes are in this order, the outermost first.
    ///
    /// # Panics
    /// Where that is neither flat nor rows: [`in_order`] makes it so.
    pub(crate) fn of(tensor: &CubeTensor, order: &[usize]) -> View {
        rows(tensor, order).expect("in_order brought the tensor into an order that kernels follow")
    }
}

/// How a tensor lies whose axes are in this order, if kernels of nonlin can follow it.
fn rows(tensor: &CubeTensor, order: &[usize]) -> Option<View> {
    let (shape, strides) = (tensor.meta.shape(), tensor.meta.strides());
    let len: usize = shape.num_elements();
    // Axes of length 1 may have any stride.
    let mut axes = order.iter().rev().filter(|axis| shape[**axis] != 1);
    let (mut row, mut stride) = (1, None);
    for axis in axes.by_ref() {
        if strides[*axis] != row {
            stride = Some(strides[*axis]);
            // The axis above the row: what is left must continue it.
            let mut next = strides[*axis] * shape[*axis];
            for axis in axes.by_ref() {
                if strides[*axis] != next {
                    return None;
                }
                next *= shape[*axis];
            }
            break;
        }
        row *= shape[*axis];
    }
    let Some(stride) = stride else {
        return Some(View::Flat(len as u64));
    };
    // Rows of 16-bit elements are whole words, or two tensors would share one.
    let words = |value: usize| (value * tensor.dtype.size()).is_multiple_of(4);
    let fits = stride > row && row > 1 && len > 0 && words(row) && words(stride);
    fits.then(|| View::Rows {
        rows: (len / row) as u64,
        len: row as u64,
        stride: stride as u64,
    })
}

/// The order of a tensor's axes in memory, the outermost first, if there are no gaps, or gaps only between
/// rows.
pub(crate) fn dense(tensor: &CubeTensor) -> Option<Vec<usize>> {
    if tensor.meta.is_tiled() {
        return None;
    }
    let shape = tensor.meta.shape();
    let strides = tensor.meta.strides();
    let identity: Vec<usize> = (0..shape.num_dims()).collect();
    if rows(tensor, &identity).is_some() {
        return Some(identity);
    }
    let mut order = identity;
    order.sort_by_key(|axis| (std::cmp::Reverse(strides[*axis]), *axis));
    rows(tensor, &order).map(|_| order)
}

/// The tensor with its axes in this order in memory: itself if they are, else a copy.
pub(crate) fn in_order(tensor: CubeTensor, order: &[usize]) -> CubeTensor {
    let mut tensor = burn_cubecl::kernel::untile(tensor);
    if rows(&tensor, order).is_some() {
        return tensor;
    }
    let permuted = |tensor: &mut CubeTensor, axes: &[usize]| {
        let (shape, strides) = (tensor.meta.shape().clone(), tensor.meta.strides().clone());
        let shape: Vec<usize> = axes.iter().map(|axis| shape[*axis]).collect();
        let strides: Vec<usize> = axes.iter().map(|axis| strides[*axis]).collect();
        *tensor.meta = burn_cubecl::cubecl::zspace::metadata::Metadata::new(shape, strides);
    };
    permuted(&mut tensor, order);
    let mut tensor = burn_cubecl::kernel::into_contiguous(tensor);
    let mut back = vec![0; order.len()];
    order
        .iter()
        .enumerate()
        .for_each(|(at, axis)| back[*axis] = at);
    permuted(&mut tensor, &back);
    tensor
}

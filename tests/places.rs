//! Places, lengths and limits at which numbers end: a recipe is refused there by a typed error, and never panics. Fuzzers
//! look for more (fuzz/).

use nonlin::layers::{Images, Layer};
use nonlin::{
    Broadcast, Chain, DType, DeviceError, Error, LayerOperands, Layout, Limits, Memory, Operand,
    OperandError, Operands, Pass, Recipe, Rows, Values, reference,
};

fn at(id: u64, size: u64, offset: u64, len: u64) -> Operand<'static> {
    Operand::in_memory(Memory::External { id, size }, offset, len)
}

/// In memory of its own, with room.
fn own(id: u64, len: u64) -> Operand<'static> {
    at(id, len.saturating_mul(4), 0, len)
}

fn forward(text: &str, operands: &Operands<'_>, limits: &Limits) -> Result<Recipe, Error> {
    let chain: Chain = text.parse().unwrap();
    Recipe::new(&chain, Pass::Forward, DType::F32, operands, limits)
}

fn is_too_large(result: Result<Recipe, Error>) -> bool {
    matches!(result, Err(Error::Device(DeviceError::TooLarge { .. })))
}

#[test]
fn limits_that_mean_nothing_are_refused() {
    let operands = Operands::new().x(own(0, 64)).y(own(1, 64));
    let plain = Limits::default();
    for limits in [
        Limits {
            max_compute_workgroups_per_dimension: 0,
            ..plain
        },
        Limits {
            max_compute_invocations_per_workgroup: 63,
            ..plain
        },
        Limits {
            min_storage_buffer_offset_alignment: 0,
            ..plain
        },
        Limits {
            min_storage_buffer_offset_alignment: 2,
            ..plain
        },
        Limits {
            min_storage_buffer_offset_alignment: 48,
            ..plain
        },
        Limits {
            row_words: 0,
            ..plain
        },
        Limits {
            row_words: 9,
            ..plain
        },
        Limits {
            column_words: 0,
            ..plain
        },
        Limits {
            column_words: 9,
            ..plain
        },
    ] {
        let refused = forward("silu", &operands, &limits);
        let is_told = matches!(refused, Err(Error::Device(DeviceError::BadLimit { .. })));
        assert!(is_told, "{limits:?}: {refused:?}");
    }
    let few = Limits {
        max_compute_invocations_per_workgroup: 128,
        ..plain
    };
    assert!(forward("silu", &operands, &few).is_ok());
    let images = Images::nchw(1, 1, 1, 64);
    let operands = LayerOperands::new();
    let layer: Layer = "frelu".parse().unwrap();
    let refused = Recipe::layer(&layer, &images, Pass::Forward, DType::F32, &operands, &few);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the limit max_compute_invocations_per_workgroup must be 256 at least for a layer, not 128"
    );
}

#[test]
fn what_a_device_cannot_bind_or_launch_is_refused() {
    let operands = Operands::new().x(own(0, 4000)).y(own(1, 4000));
    let plain = Limits::default();
    for size in [0, 4, 256, 512] {
        let limits = Limits {
            max_storage_buffer_binding_size: size,
            ..plain
        };
        let recipe = forward("silu", &operands, &limits);
        assert!(is_too_large(recipe), "{size}");
    }
    let limits = Limits {
        max_compute_workgroups_per_dimension: 1,
        ..plain
    };
    assert_eq!(
        forward("silu", &operands, &limits).unwrap_err(),
        Error::Device(DeviceError::TooManyWorkgroups {
            workgroups: [1, 4, 1],
            limit: 1
        })
    );
    // Longer than a device has memory for.
    let operands = Operands::new().x(own(0, 1 << 60)).y(own(1, 1 << 60));
    assert!(is_too_large(forward("silu", &operands, &plain)));
    assert!(is_too_large(forward("softmax", &operands, &plain)));
}

#[test]
fn operands_at_the_end_of_all_numbers_are_refused() {
    let plain = Limits::default();
    let of = |offset, len| {
        let x = at(0, u64::MAX, offset, len);
        Operands::new().x(x).y(own(1, len))
    };
    assert!(forward("silu", &of(u64::MAX - 7, 1), &plain).is_ok());
    for (offset, len) in [(u64::MAX - 3, 1), (4, u64::MAX / 4)] {
        let refused = forward("silu", &of(offset, len), &plain);
        let is_outside = matches!(
            refused,
            Err(Error::Operand(OperandError::OutOfRange { .. }))
        );
        assert!(is_outside, "{offset}, {len}");
    }
    // Two rows, as far from each other as can be.
    let rows = Rows {
        len: 4,
        stride: (u64::MAX >> 2) - 4,
    };
    let operands = Operands::new()
        .x(at(0, u64::MAX, 0, 8).rows(rows))
        .y(own(1, 8));
    assert!(is_too_large(forward("silu", &operands, &plain)));
}

/// Of a layout of no elements, no part is longer than can be counted.
#[test]
fn layouts_of_no_elements_are_counted() {
    let most = 1 << 40;
    for [outer, channels, inner] in [[0, most, most], [most, 0, most], [most, most, 0]] {
        let layout = Layout {
            outer,
            channels,
            inner,
        };
        let broadcast = Broadcast {
            inner: 1,
            count: 1,
            period: 1,
        };
        let operands = Operands::new().x(own(0, 0)).y(own(1, 0)).layout(layout);
        let operands = operands.arg("s", own(2, 0), DType::F32);
        let operands = operands.broadcast("s", broadcast);
        let refused = forward("softmax(sink=@s)", &operands, &Limits::default());
        let is_told = matches!(refused, Err(Error::Operand(OperandError::BadLength { .. })));
        assert!(is_told, "{layout:?}: {refused:?}");
        let values = Values::new().arg("s", &[0.0f32]).layout(layout);
        let chain = "softmax(sink=@s)".parse().unwrap();
        assert!(reference::forward_with(&chain, &[0.0f32; 0], &values).is_err());
    }
}

/// Long rows get workgroups that the device has, whatever the number of rows in a matrix.
#[test]
fn rows_keep_to_the_limits() {
    let limits = Limits {
        max_compute_invocations_per_workgroup: 64,
        ..Limits::default()
    };
    let operands = Operands::new()
        .x(own(0, 1 << 16))
        .y(own(1, 1 << 16))
        .queries(1 << 32);
    let recipe = forward("causal(0) | softmax", &operands, &limits).unwrap();
    let text = recipe.dispatches()[0].wgsl();
    assert!(text.contains("const LANES: u32 = 64u;"), "{text}");
}

#[test]
fn small_layers_that_cannot_be_counted_are_refused() {
    let channels = (1 << 31) - 1;
    for (text, images) in [
        (
            "meta_acon(minimum=18446744073709551615)",
            Images::nchw(2, 1, 1, 2),
        ),
        ("meta_acon(reduction=1)", Images::nchw(1, channels, 1, 1)),
        (
            "dyrelu_b(reduction=1, k=4)",
            Images::nchw(1, channels, 1, 1),
        ),
    ] {
        let layer: Layer = text.parse().unwrap();
        let operands = LayerOperands::new();
        let limits = Limits::default();
        let refused = Recipe::layer(
            &layer,
            &images,
            Pass::Backward,
            DType::F32,
            &operands,
            &limits,
        );
        assert!(is_too_large(refused), "{text}");
        assert!(layer.saved_len(&images).is_err(), "{text}");
    }
}

/// Operands in one memory are told apart: what is only read is not said to be written.
#[test]
fn what_a_layer_reads_is_not_written() {
    let layer: Layer = "frelu".parse().unwrap();
    let images = Images::nchw(1, 1, 4, 4);
    let operands = LayerOperands::new()
        .x(at(0, 1024, 0, 16))
        .y(at(0, 1024, 512, 16))
        .parameters(own(1, 13));
    let limits = Limits::default();
    let recipe = Recipe::layer(
        &layer,
        &images,
        Pass::Forward,
        DType::F32,
        &operands,
        &limits,
    );
    for dispatch in recipe.unwrap().dispatches() {
        for binding in dispatch.bindings() {
            let is_y = binding.id() == Some(0) && binding.offset() == 512;
            assert_eq!(binding.is_written(), is_y, "{binding:?}");
        }
    }
}

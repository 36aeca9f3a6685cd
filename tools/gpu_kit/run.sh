#!/bin/sh
# What a machine with a GPU is asked by the programs beside this file: does it compute right, how fast, and how fast is
# PyTorch there. `cargo xtask gpu-kit` puts this file into the folder that it makes.
#
#     sh run.sh [ADAPTER]
#
# ADAPTER is a part of the adapter's description, as `./nonlin adapters` lists it; without it, the best one is taken. It needs
# a driver and a Vulkan loader (one in the folder lib beside this file is found), and python3 with torch for PyTorch's part.
# All that is found is in the folder results, and in short in results/REPORT.md. Nothing of the machine is changed. The exit
# code is 1 if a step fails.
#
#     PARTS="check bench torch test"   what is done, for machines that are lent by the minute: results of other runs stay
#     ELEMENTS=67108864        what chains are timed on: a multiple of 262144
#     LAYER=64x64x112x112      what layers are timed on
#     SAMPLES=11               of each variant
#     SECONDS_A_STEP=150       after which a step is ended
#     TORCH_DEVICE=cuda        where PyTorch computes; cpu to try this script
#     PYTHON=python3
#     QUICK=                   --quick, for the report, to try this script
#     TESTS="accuracy ..."     which tests run: all there are

here=$(cd "$(dirname "$0")" && pwd)
adapter=${1-}
PARTS=${PARTS:-check bench torch test}
ELEMENTS=${ELEMENTS:-67108864}
LAYER=${LAYER:-64x64x112x112}
SAMPLES=${SAMPLES:-11}
SECONDS_A_STEP=${SECONDS_A_STEP:-150}
TORCH_DEVICE=${TORCH_DEVICE:-cuda}
PYTHON=${PYTHON:-python3}
QUICK=${QUICK-}
TESTS=${TESTS-accuracy shapes special chains learned layers_gpu rows recipe teeth}

results=$here/results
nonlin=$here/nonlin
mkdir -p "$results" "$here/unpacked" || exit 2
[ -d "$here/lib" ] && export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
if [ -z "${XDG_RUNTIME_DIR-}" ]; then
    # Without it, drivers warn each time they load.
    export XDG_RUNTIME_DIR="$here/unpacked"
    chmod 700 "$XDG_RUNTIME_DIR"
fi
export NONLIN_TEST_DATA="$here/data"
[ -n "$adapter" ] && export WGPU_ADAPTER_NAME="$adapter"

failed=0
touch "$results/steps.txt"

# Whether a part is to be done.
does() {
    case " $PARTS " in *" $1 "*) ;; *) return 1 ;; esac
}

# A line for a step, in the place of that of an earlier run.
tell() {
    grep -v "^$1: " "$results/steps.txt" > "$results/steps.new"
    echo "$1: $2" | tee -a "$results/steps.new"
    mv "$results/steps.new" "$results/steps.txt"
}

# step NAME COMMAND...: its output in results/NAME.txt, and its exit code in a line.
step() {
    name=$1
    shift
    start=$(date +%s)
    timeout "$SECONDS_A_STEP" "$@" > "$results/$name.txt" 2> "$results/$name.err"
    code=$?
    [ -s "$results/$name.err" ] || rm -f "$results/$name.err"
    case $code in
        0) verdict=fine ;;
        124) verdict="ended after $SECONDS_A_STEP s" ;;
        *) verdict="exit code $code" ;;
    esac
    [ "$code" -eq 0 ] || failed=1
    tell "$name" "$verdict, $(($(date +%s) - start)) s"
}

# bench NAME ARGUMENTS...: as JSON, which torch_gpu.py reads by that name.
bench() {
    name=bench-$1
    shift
    step "$name" "$nonlin" bench "$@" --samples "$SAMPLES" --json
    mv "$results/$name.txt" "$results/$name.json"
}

do_checks() {
    step adapters "$nonlin" adapters
    # Checks of every activation in all dtypes, and times of all of them in f32: the most telling first.
    step report "$nonlin" report $QUICK --out "$results/report.json"
    step check-operands "$nonlin" check 'prelu(weight=@w)' 'swish(beta=@b)' 'acon_c(p1=@p, p2=@q, beta=@b)' \
        'silu | gate(@g)' 'scale(@s) | bias(@b) | mish | dropout(0.1) | residual(@r)' \
        softmax log_softmax 'rms_norm | scale(@w)' 'layer_norm | scale(@w) | bias(@b)'
    step check-layers "$nonlin" check frelu meta_acon dyrelu_a dyrelu_b dyrelu_c
}

do_benches() {
    bench all-f32 --all --len "$ELEMENTS"
    bench all-f16 --all --len "$ELEMENTS" --dtype f16
    nchw=32x256x$((ELEMENTS / 8192))
    nhwc=$((ELEMENTS / 256))x256x1
    rows=$((ELEMENTS / 1024))x1024x1
    for dtype in f32 f16; do
        bench "constants-$dtype" 'scale(0.5) | silu | scale(2)' --len "$ELEMENTS" --dtype $dtype
        bench "swiglu-$dtype" 'silu | gate(@g)' --len "$ELEMENTS" --dtype $dtype
        bench "geglu-$dtype" 'gelu | gate(@g)' --len "$ELEMENTS" --dtype $dtype
        for layout in nchw nhwc; do
            shape=$nchw
            [ $layout = nhwc ] && shape=$nhwc
            bench "prelu-$layout-$dtype" 'prelu(weight=@w)' --shape "$shape" --dtype $dtype
            bench "swish-$layout-$dtype" 'swish(beta=@b)' --shape "$shape" --dtype $dtype
            bench "acon_c-$layout-$dtype" 'acon_c(p1=@p, p2=@q, beta=@b)' --shape "$shape" --dtype $dtype
            bench "block-$layout-$dtype" 'scale(@s) | bias(@b) | mish | dropout(0.1) | residual(@r)' \
                --shape "$shape" --dtype $dtype
        done
        bench "softmax-$dtype" softmax --shape "$rows" --dtype $dtype
        bench "scaled_softmax-$dtype" 'scale(0.125) | softmax' --shape "$rows" --dtype $dtype
    done
    bench frelu-f32 frelu --set norm=train --shape "$LAYER"
    for layer in meta_acon dyrelu_a dyrelu_b dyrelu_c; do
        bench "$layer-f32" $layer --shape "$LAYER"
    done
}

do_torch() {
    if "$PYTHON" -c 'import torch' 2> /dev/null; then
        # It has more to compile than a step may take elsewhere.
        whole=$SECONDS_A_STEP
        SECONDS_A_STEP=$((4 * whole))
        step torch "$PYTHON" "$here/torch_gpu.py" --device "$TORCH_DEVICE" --elements "$ELEMENTS" --layer "$LAYER" \
            --samples "$SAMPLES" --beside "$results" --out "$results/torch.jsonl"
        SECONDS_A_STEP=$whole
    else
        tell torch "left out, since $PYTHON has no torch"
    fi
}

do_tests() {
    for test in $TESTS; do
        program=$here/unpacked/$test
        gzip -dc "$here/tests/$test.gz" > "$program" && chmod +x "$program"
        step "test-$test" "$program"
        rm -f "$program"
    done
}

# The tests have names of their own for adapters.
about=$("$nonlin" check relu --count 100 2> /dev/null | sed -n '1s/^f32 on //p')
case $about in
    llvmpipe*' / gl / '*) key=llvmpipe-gl ;;
    llvmpipe*) key=lavapipe ;;
    SwiftShader*) key=swiftshader ;;
    *) key=$(printf %s "$about" | tr ' ' -) ;;
esac
# A comma parts two names.
case $key in *,*) ;; *) export NONLIN_TEST_ADAPTER="$key" ;; esac
does check && do_checks
does bench && do_benches
does torch && do_torch
does test && do_tests

{
    echo "# $about"
    echo
    cat "$results/report.txt"
    echo
    echo "## Beside PyTorch"
    echo
    cat "$results/torch.txt" 2> /dev/null || echo "Not run."
    echo
    echo "## Steps"
    echo
    sed 's/^/- /' "$results/steps.txt"
    for name in "$results"/test-*.txt; do
        grep -H '^test result' "$name" | sed "s|^$results/|- |"
    done
    for name in "$results"/*.err; do
        [ -f "$name" ] || continue
        echo
        echo "### ${name##*/}"
        echo
        sed 's/^/    /' "$name" | tail -n 40
    done
} > "$results/REPORT.md"
echo "results/REPORT.md has it all in short"
exit $failed

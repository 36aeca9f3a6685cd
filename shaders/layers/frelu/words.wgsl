// Rows of images whose words are four columns of one channel: a strip is such a word wide.
alias V = vec4<f32>; //#stub
alias C = f32; //#stub

const COLUMNS: u32 = 4u;

// A strip's own columns, and the words beside them.
struct Row {
    far_left: V, //#if X_HALO >= 5
    left: V, //#if X_HALO >= 1
    own: V,
    right: V, //#if X_HALO >= 1
    far_right: V, //#if X_HALO >= 5
}

// What windows around a strip's columns see of a row: d is the columns themselves; c, b and a are those one, two and
// three to the left of each; e, f and g those to the right.
struct Line {
    a: V, //#if SIDE >= 3
    b: V, //#if SIDE >= 2
    c: V, //#if SIDE >= 1
    d: V,
    e: V, //#if SIDE >= 1
    f: V, //#if SIDE >= 2
    g: V, //#if SIDE >= 3
}

fn line(r: Row) -> Line {
    return Line(
        V(r.left.yzw, r.own.x), //#if SIDE >= 3
        V(r.left.zw, r.own.xy), //#if SIDE >= 2
        V(r.left.w, r.own.xyz), //#if SIDE >= 1
        r.own,
        V(r.own.yzw, r.right.x), //#if SIDE >= 1
        V(r.own.zw, r.right.xy), //#if SIDE >= 2
        V(r.own.w, r.right.xyz), //#if SIDE >= 3
    );
}

// The row seen from the word to the left, or to the right.
fn step_left(r: Row) -> Row {
    return Row(V(0.0), r.far_left, r.left, r.own, r.right);
}

fn step_right(r: Row) -> Row {
    return Row(r.left, r.own, r.right, r.far_right, V(0.0));
}

// `sum` and the values of a strip's columns, one after another.
fn plus_each(sum: C, v: V) -> C {
    return sum + v.x + v.y + v.z + v.w;
}

fn along(v: V) -> C {
    return v.x + v.y + v.z + v.w;
}

// along(a * b), in the order that it says: Mesa's GL adds up the components of a product of vectors in another.
fn along_product(a: V, b: V) -> C {
    return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

fn first_of(v: V) -> C {
    return v.x;
}

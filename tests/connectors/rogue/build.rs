//! Compiles the constructor of the shared object.

fn main() {
    println!("cargo:rerun-if-changed=src/constructor.c");
    let mut build = cc::Build::new();
    // All of it: nothing refers to a constructor.
    build.file("src/constructor.c").link_lib_modifier("+whole-archive").compile("rogue_constructor");
}

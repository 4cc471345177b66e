//! The compiler errors for wrong uses of the derive.

#[test]
fn derive_errors_explain_the_mistake() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/misuse/*.rs");
}

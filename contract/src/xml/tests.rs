//! Tests of the tokenizer.

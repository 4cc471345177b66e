//! Development tasks (`cargo xtask --help`), and what the end-to-end tests share with them: building the program and
//! the plugin files, running the program, a small HTTP client, and the sample workbook.

pub mod build;
pub mod commands;
pub mod host_process;
pub mod http;
pub mod open_load;
pub mod soap;

pub use sample_workbook as workbook;

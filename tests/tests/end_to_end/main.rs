//! End-to-end tests, in one program so that everything is built and linked once.

mod architecture;
mod bad_input;
mod commands;
mod compatibility;
mod containment;
mod crash;
mod demo;
mod documentation;
mod faults;
mod gateway;
mod hardening;
mod help_page;
mod internet;
mod interop;
mod memory;
mod operations;
mod plugins;
mod register;
mod replacing;
mod restart;
mod simulate;
mod stopping;
mod tutorial;
mod verify;
mod workbook;

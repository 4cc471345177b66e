//! Derive macros of `erp-host-plugin-api`, which re-exports and documents them.

mod actor_row;
mod expand;
mod setting;

use proc_macro::TokenStream;

/// Makes a struct the settings form of a connector: documented at `plugin_api::SettingsForm`.
#[proc_macro_derive(SettingsForm, attributes(setting))]
pub fn settings_form(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::settings_form(input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct a row of actors: documented at `plugin_api::ActorRow`.
#[proc_macro_derive(ActorRow, attributes(actor, field))]
pub fn actor_row(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    actor_row::actor_row(input).unwrap_or_else(syn::Error::into_compile_error).into()
}

//! Code generation: the implementation of `SettingsForm`.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::setting::{DefaultValue, Literal, Setting};

pub(crate) fn settings_form(input: DeriveInput) -> Result<TokenStream> {
    let shape = "a settings form is a struct with named fields, one for each setting";
    let fields = match input.data {
        Data::Struct(data) => match data.fields {
            Fields::Named(fields) => fields.named,
            _ => return Err(Error::new(input.ident.span(), shape)),
        },
        _ => return Err(Error::new(input.ident.span(), shape)),
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), "a settings form has no parameters"));
    }
    let settings: Vec<Setting> = fields.into_iter().map(Setting::read).collect::<Result<_>>()?;
    let mut keys = HashSet::new();
    if let Some(twice) = settings.iter().find(|setting| !keys.insert(setting.key.clone())) {
        return Err(Error::new(
            twice.key_span,
            format!("there are two settings with the key {:?}", twice.key),
        ));
    }

    let name = input.ident;
    let checks = settings.iter().map(checks);
    let descriptions = settings.iter().map(field);
    let reads = settings.iter().enumerate().map(|(at, Setting { ident, ty, .. })| {
        let read = quote_spanned!(ty.span()=> ::plugin_api::read_setting::<#ty>);
        quote!(#ident: #read(settings, &fields[#at])?)
    });
    Ok(quote! {
        #[automatically_derived]
        impl ::plugin_api::SettingsForm for #name {
            fn fields() -> ::std::vec::Vec<::plugin_api::Field> {
                #(#checks)*
                ::std::vec![#(#descriptions),*]
            }

            fn read(settings: &::plugin_api::Settings) -> ::plugin_api::Result<Self> {
                let fields = <Self as ::plugin_api::SettingsForm>::fields();
                ::std::result::Result::Ok(#name { #(#reads),* })
            }
        }
    })
}

/// The description of a setting: a `Field`.
fn field(setting: &Setting) -> TokenStream {
    let Setting { ty, key, label, description, list, max_length, rank, .. } = setting;
    let mut field = if let Some(list) = list {
        quote!(::plugin_api::Field::list(#key, #list))
    } else if setting.password.is_some() {
        quote!(::plugin_api::Field::password(#key))
    } else {
        quote!(::plugin_api::Field::new(#key, <#ty as ::plugin_api::SettingValue>::FIELD_TYPE))
    };
    field.extend(label.as_ref().map(|label| quote!(.label(#label))));
    field.extend(description.as_ref().map(|description| quote!(.description(#description))));
    field.extend(setting.default.as_ref().map(|default| default_value(ty, default)));
    field.extend(max_length.as_ref().map(|length| quote!(.max_length(#length))));
    field.extend(rank.as_ref().map(|rank| quote!(.rank(#rank))));
    let mandatory = setting.mandatory;
    if setting.read_only {
        quote!(#field.read_only())
    } else {
        quote! {
            if #mandatory || <#ty as ::plugin_api::SettingValue>::MANDATORY { #field.mandatory() } else { #field }
        }
    }
}

/// A default in wire form: a whole number may be the default of a Double.
fn default_value(ty: &syn::Type, default: &DefaultValue) -> TokenStream {
    match &default.literal {
        Literal::Text(text) => quote!(.default(#text)),
        Literal::Checkbox(on) => quote!(.default(#on)),
        Literal::Double(number) => quote!(.default(#number)),
        Literal::Integer(number) => {
            // Exact up to 2^53, and defaults are not larger.
            #[allow(clippy::cast_precision_loss, reason = "a default that a person wrote down")]
            let double = *number as f64;
            quote! {
                .default(match <#ty as ::plugin_api::SettingValue>::FIELD_TYPE {
                    ::plugin_api::FieldType::Double => ::plugin_api::Value::Double(#double),
                    _ => ::plugin_api::Value::Integer(#number),
                })
            }
        }
    }
}

/// Checks for the compiler: whether attributes fit the type behind a name.
fn checks(setting: &Setting) -> TokenStream {
    let ty = &setting.ty;
    let mut rules: Vec<(Span, &[&str], &str)> = Vec::new();
    match &setting.list {
        Some(list) => rules.push((
            list.span(),
            &["Text", "List"],
            "the key of a list item is a text: use String or Option<String>",
        )),
        // A type of the author's may be the key of a list item, but it has no list of its own.
        None => rules.push((
            ty.span(),
            &["Checkbox", "Text", "Password", "Integer", "Double", "Datetime"],
            "a setting of this type is taken from a list: name it with #[setting(list = \"..\")]",
        )),
    }
    if let Some(span) = setting.password {
        let message = "a password is a text: use Secret, String or an Option of these";
        rules.push((span, &["Text", "Password"], message));
    }
    if let Some(length) = &setting.max_length {
        rules.push((length.span(), &["Text", "Password"], "only a text has a greatest length"));
    }
    if let Some(DefaultValue { span, literal }) = &setting.default {
        let (fits, message): (&[&str], _) = match literal {
            Literal::Text(_) => (&["Text", "List"], "a text cannot be the default of a setting of this type"),
            Literal::Integer(_) => {
                (&["Integer", "Double"], "a whole number cannot be the default of a setting of this type")
            }
            Literal::Double(_) => (&["Double"], "a number cannot be the default of a setting of this type"),
            Literal::Checkbox(_) => (&["Checkbox"], "true and false can only be the default of a bool"),
        };
        rules.push((*span, fits, message));
    }
    let rules = rules.into_iter().map(|(span, fits, message)| {
        let fits = fits.iter().map(|name| format_ident!("{name}"));
        quote_spanned! {span=>
            const _: () = ::std::assert!(
                ::std::matches!(
                    <#ty as ::plugin_api::SettingValue>::FIELD_TYPE,
                    #(::plugin_api::FieldType::#fits)|*
                ),
                #message
            );
        }
    });
    rules.collect()
}

//! Code generation: the implementation of `SettingsForm`, and what it shares with that of `ActorRow`.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::setting::{DefaultValue, Kind, Literal, Setting};

pub(crate) fn settings_form(input: DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(&input, "a settings form", "setting")?;
    let settings: Vec<Setting> =
        fields.into_iter().map(|field| Setting::read(field, Kind::Settings)).collect::<Result<_>>()?;
    check_keys(&settings)?;

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

/// The fields of a struct; fails for anything else, and for one with parameters.
pub(crate) fn named_fields(
    input: &DeriveInput,
    what: &str,
    field: &str,
) -> Result<impl IntoIterator<Item = syn::Field> + use<>> {
    let shape = || {
        Error::new(input.ident.span(), format!("{what} is a struct with named fields, one for each {field}"))
    };
    let Data::Struct(data) = &input.data else { return Err(shape()) };
    let Fields::Named(fields) = &data.fields else { return Err(shape()) };
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), format!("{what} has no parameters")));
    }
    Ok(fields.named.clone())
}

/// Fails when a key comes twice.
pub(crate) fn check_keys<'s>(settings: impl IntoIterator<Item = &'s Setting>) -> Result<()> {
    let mut keys = HashSet::new();
    for setting in settings {
        if !keys.insert(&setting.key) {
            let text = format!("there are two {}s with the key {:?}", setting.kind.name(), setting.key);
            return Err(Error::new(setting.key_span, text));
        }
    }
    Ok(())
}

/// The description of a setting: a `Field`.
pub(crate) fn field(setting: &Setting) -> TokenStream {
    let Setting { ty, key, label, description, list, max_length, rank, .. } = setting;
    let mut field = if let Some(list) = list {
        quote!(::plugin_api::Field::list(#key, #list))
    } else if setting.password.is_some() {
        quote!(::plugin_api::Field::password(#key))
    } else {
        quote!(::plugin_api::Field::new(#key, <#ty as ::plugin_api::FieldValue>::FIELD_TYPE))
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
            if #mandatory || <#ty as ::plugin_api::FieldValue>::MANDATORY { #field.mandatory() } else { #field }
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
                .default(match <#ty as ::plugin_api::FieldValue>::FIELD_TYPE {
                    ::plugin_api::FieldType::Double => ::plugin_api::Value::Double(#double),
                    _ => ::plugin_api::Value::Integer(#number),
                })
            }
        }
    }
}

/// Checks for the compiler: whether attributes fit the type behind a name.
pub(crate) fn checks(setting: &Setting) -> TokenStream {
    let (ty, name) = (&setting.ty, setting.kind.name());
    let mut rules: Vec<(Span, &[&str], String)> = Vec::new();
    match &setting.list {
        Some(list) => rules.push((
            list.span(),
            &["Text", "List"],
            "the key of a list item is a text: use String or Option<String>".to_owned(),
        )),
        // A type of the author's may be the key of a list item, but it has no list of its own.
        None => rules.push((
            ty.span(),
            &["Checkbox", "Text", "Password", "Integer", "Double", "Datetime"],
            format!("a {name} of this type is taken from a list: name it with #[{name}(list = \"..\")]"),
        )),
    }
    if let Some(span) = setting.password {
        let message = "a password is a text: use Secret, String or an Option of these";
        rules.push((span, &["Text", "Password"], message.to_owned()));
    }
    if let Some(length) = &setting.max_length {
        rules.push((length.span(), &["Text", "Password"], "only a text has a greatest length".to_owned()));
    }
    if let Some(DefaultValue { span, literal }) = &setting.default {
        let of_this_type = format!("cannot be the default of a {name} of this type");
        let (fits, message): (&[&str], _) = match literal {
            Literal::Text(_) => (&["Text", "List"], format!("a text {of_this_type}")),
            Literal::Integer(_) => (&["Integer", "Double"], format!("a whole number {of_this_type}")),
            Literal::Double(_) => (&["Double"], format!("a number {of_this_type}")),
            Literal::Checkbox(_) => {
                (&["Checkbox"], "true and false can only be the default of a bool".to_owned())
            }
        };
        rules.push((*span, fits, message));
    }
    let rules = rules.into_iter().map(|(span, fits, message)| {
        let fits = fits.iter().map(|name| format_ident!("{name}"));
        quote_spanned! {span=>
            const _: () = ::std::assert!(
                ::std::matches!(
                    <#ty as ::plugin_api::FieldValue>::FIELD_TYPE,
                    #(::plugin_api::FieldType::#fits)|*
                ),
                #message
            );
        }
    });
    rules.collect()
}

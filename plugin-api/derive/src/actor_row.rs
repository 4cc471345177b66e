//! The implementation of `ActorRow`: parsing of the `#[actor(..)]` attributes, and code generation.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, DeriveInput, Error, Field, Ident, LitStr, Result, Type};

use crate::expand::{check_keys, checks, field, named_fields};
use crate::setting::{Kind, Setting};

/// What a field of the struct is.
enum Role {
    Key,
    Stamp,
    /// The key of the parent, which has this actor type.
    Parent(LitStr),
    /// Nothing of an actor: it has the default of its type.
    Skip,
    Field(Box<Setting>),
}

struct Member {
    ident: Ident,
    ty: Type,
    role: Role,
    /// Has the default of its type when it is not sent.
    has_default: bool,
}

pub(crate) fn actor_row(input: DeriveInput) -> Result<TokenStream> {
    let actor_type = actor_type(&input)?;
    let members = named_fields(&input, "an actor row", "field")?;
    let members: Vec<Member> = members.into_iter().map(member).collect::<Result<_>>()?;
    let settings = || {
        members.iter().filter_map(|member| match &member.role {
            Role::Field(setting) => Some((member, &**setting)),
            _ => None,
        })
    };
    check_keys(settings().map(|(_, setting)| setting))?;
    let key = only(&members, &input.ident, "#[actor(key)]", |role| matches!(role, Role::Key))?;
    let key = key.ok_or_else(|| {
        Error::new(input.ident.span(), "an actor has a key: name its field with #[actor(key)]")
    })?;
    let stamp = only(&members, &input.ident, "#[actor(stamp)]", |role| matches!(role, Role::Stamp))?;
    let parent =
        only(&members, &input.ident, "#[actor(parent = \"..\")]", |role| matches!(role, Role::Parent(_)))?;

    let name = &input.ident;
    let checks = settings().map(|(_, setting)| checks(setting));
    let descriptions = settings().map(|(_, setting)| field(setting));
    let writes = settings().map(|(Member { ident, ty, .. }, Setting { key, .. })| {
        quote_spanned!(ty.span()=> row.field(#key, ::plugin_api::FieldValue::to_value(&self.#ident));)
    });
    let applies =
        settings().filter(|(_, setting)| !setting.read_only).map(|(Member { ident, ty, .. }, setting)| {
            let key = &setting.key;
            quote_spanned! {ty.span()=>
                if let ::std::option::Option::Some(value) = actor.sent::<#ty>(#key)? {
                    self.#ident = value;
                }
            }
        });
    let reads = members.iter().map(|Member { ident, ty, role, has_default }| {
        let read = match role {
            Role::Key => quote_spanned!(ty.span()=> actor.key_as::<#ty>()?),
            Role::Stamp => quote_spanned!(ty.span()=> actor.stamp_as::<#ty>()?),
            Role::Parent(_) => quote_spanned!(ty.span()=> actor.parent_key_as::<#ty>()?),
            Role::Skip => quote_spanned!(ty.span()=> <#ty as ::std::default::Default>::default()),
            Role::Field(setting) => {
                let key = &setting.key;
                match has_default {
                    true => quote_spanned!(ty.span()=> actor.sent::<#ty>(#key)?.unwrap_or_default()),
                    false => quote_spanned!(ty.span()=> actor.get::<#ty>(#key)?),
                }
            }
        };
        quote!(#ident: #read)
    });
    let key_ident = &key.ident;
    let write_stamp = stamp.map(|Member { ident, ty, .. }| {
        quote_spanned! {ty.span()=>
            let stamp = ::plugin_api::key_text(&self.#ident);
            if !stamp.is_empty() {
                row.last_modified(&stamp);
            }
        }
    });
    let write_parent = parent.map(|Member { ident, ty, role, .. }| {
        let Role::Parent(parent_type) = role else { return TokenStream::new() };
        quote_spanned! {ty.span()=>
            let parent = ::plugin_api::key_text(&self.#ident);
            if !parent.is_empty() {
                row.parent(#parent_type, &parent);
            }
        }
    });
    Ok(quote! {
        #[automatically_derived]
        impl ::plugin_api::ActorRow for #name {
            const ACTOR_TYPE: &'static str = #actor_type;

            fn fields() -> ::std::vec::Vec<::plugin_api::Field> {
                #(#checks)*
                ::std::vec![#(#descriptions),*]
            }

            fn key(&self) -> ::std::string::String {
                ::plugin_api::key_text(&self.#key_ident)
            }

            fn write(&self, row: &mut ::plugin_api::Row<'_, '_>) {
                #write_stamp
                #write_parent
                #(#writes)*
            }

            fn read(actor: &::plugin_api::Actor) -> ::plugin_api::Result<Self> {
                ::std::result::Result::Ok(#name { #(#reads),* })
            }

            fn apply(&mut self, actor: &::plugin_api::Actor) -> ::plugin_api::Result<()> {
                #(#applies)*
                ::std::result::Result::Ok(())
            }
        }
    })
}

/// `#[actor(type = "Customer")]` on the struct; its name without it.
fn actor_type(input: &DeriveInput) -> Result<String> {
    let mut actor_type = input.ident.to_string();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("actor")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("type") {
                return Err(meta.error("not an attribute of an actor row, expected type = \"Customer\""));
            }
            actor_type = meta.value()?.parse::<LitStr>()?.value();
            Ok(())
        })?;
    }
    Ok(actor_type)
}

fn member(field: Field) -> Result<Member> {
    let Some(ident) = field.ident.clone() else {
        return Err(Error::new(field.span(), "a field needs a name"));
    };
    let ty = field.ty.clone();
    let (role, has_default) = attributes(&field.attrs)?;
    let is_described = field.attrs.iter().any(|attribute| attribute.path().is_ident("field"));
    let role = match role {
        Some(_) if is_described => {
            return Err(Error::new(
                ident.span(),
                "#[field(..)] describes a field of the actor: leave out #[actor(..)]",
            ));
        }
        Some(role) => role,
        None => Role::Field(Box::new(Setting::read(field, Kind::Actor)?)),
    };
    Ok(Member { ident, ty, role, has_default })
}

fn attributes(attributes: &[Attribute]) -> Result<(Option<Role>, bool)> {
    let (mut role, mut has_default) = (None, false);
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("actor")) {
        attribute.parse_nested_meta(|meta| {
            let name = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
            let new = match name.as_str() {
                "key" => Role::Key,
                "stamp" => Role::Stamp,
                "parent" => Role::Parent(meta.value()?.parse()?),
                "skip" => Role::Skip,
                "default" => {
                    has_default = true;
                    return Ok(());
                }
                _ => {
                    let expected = "key, stamp, parent, skip and default";
                    return Err(
                        meta.error(format!("not an attribute of a field, expected one of {expected}"))
                    );
                }
            };
            role = Some(new);
            Ok(())
        })?;
    }
    Ok((role, has_default))
}

/// The one member with a role; fails when there are several.
fn only<'m>(
    members: &'m [Member],
    of: &Ident,
    attribute: &str,
    is_wanted: impl Fn(&Role) -> bool,
) -> Result<Option<&'m Member>> {
    let mut all = members.iter().filter(|member| is_wanted(&member.role));
    let first = all.next();
    match all.next() {
        Some(second) => Err(Error::new(span(second), format!("{of} has two fields with {attribute}"))),
        None => Ok(first),
    }
}

fn span(member: &Member) -> Span {
    member.ident.span()
}

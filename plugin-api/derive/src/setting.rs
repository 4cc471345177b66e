//! Parsing: a field of the struct, with its `#[setting(..)]` or `#[field(..)]` attributes.

use std::fmt::Display;
use std::str::FromStr;

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, ExprLit, ExprUnary, Field, Ident, Lit, LitInt, LitStr, Meta, Result, Token, Type,
    UnOp,
};

const ATTRIBUTES: &str =
    "key, label, description, default, list, max_length, rank, password, mandatory and read_only";

/// What a struct describes with its fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Settings of a connection.
    Settings,
    /// Fields of an actor type.
    Actor,
}

impl Kind {
    /// The name of the attribute, and of one such field in errors.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Settings => "setting",
            Kind::Actor => "field",
        }
    }

    /// The key of a field that names none.
    fn key(self, ident: &Ident) -> String {
        match self {
            Kind::Settings => pascal_case(ident),
            Kind::Actor => ident.to_string().trim_start_matches("r#").to_uppercase(),
        }
    }
}

/// A setting or a field of an actor, from a field of the struct and its attributes.
pub(crate) struct Setting {
    pub(crate) kind: Kind,
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) key: String,
    /// Where errors about the key point.
    pub(crate) key_span: Span,
    /// Plain or localised, in wire form.
    pub(crate) label: Option<String>,
    /// Plain or localised, in wire form.
    pub(crate) description: Option<String>,
    pub(crate) default: Option<DefaultValue>,
    pub(crate) list: Option<LitStr>,
    pub(crate) max_length: Option<LitInt>,
    pub(crate) rank: Option<LitInt>,
    pub(crate) password: Option<Span>,
    pub(crate) mandatory: bool,
    pub(crate) read_only: bool,
}

/// The literal of `default = ..`.
pub(crate) struct DefaultValue {
    pub(crate) span: Span,
    pub(crate) literal: Literal,
}

pub(crate) enum Literal {
    Text(String),
    Integer(i64),
    Double(f64),
    Checkbox(bool),
}

impl Setting {
    pub(crate) fn read(field: Field, kind: Kind) -> Result<Self> {
        let Some(ident) = field.ident.clone() else {
            return Err(Error::new(field.span(), format!("a {} needs a name", kind.name())));
        };
        let mut setting = Setting {
            kind,
            key: kind.key(&ident),
            key_span: ident.span(),
            label: None,
            description: None,
            default: None,
            list: None,
            max_length: None,
            rank: None,
            password: None,
            mandatory: false,
            read_only: false,
            ty: field.ty,
            ident,
        };
        let mut mandatory = None;
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident(kind.name())) {
            attribute.parse_nested_meta(|meta| setting.attribute(&meta, &mut mandatory))?;
        }
        setting.description = setting.description.or_else(|| doc_comment(&field.attrs));
        setting.check(mandatory)?;
        Ok(setting)
    }

    fn attribute(&mut self, meta: &ParseNestedMeta<'_>, mandatory: &mut Option<Span>) -> Result<()> {
        let name = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        let span = meta.path.span();
        match name.as_str() {
            "key" => {
                let key: LitStr = meta.value()?.parse()?;
                if key.value().trim().is_empty() {
                    return Err(Error::new(
                        key.span(),
                        format!("a {} needs a key that is not empty", self.kind.name()),
                    ));
                }
                (self.key, self.key_span) = (key.value(), key.span());
            }
            "label" => self.label = Some(localized(meta)?),
            "description" => self.description = Some(localized(meta)?),
            "default" => self.default = Some(DefaultValue::read(meta.value()?.parse()?)?),
            "list" => self.list = Some(meta.value()?.parse()?),
            "max_length" => {
                let length: LitInt = meta.value()?.parse()?;
                if !length.base10_parse::<i32>().is_ok_and(|length| length > 0) {
                    return Err(Error::new(length.span(), "expected a number of characters above 0"));
                }
                self.max_length = Some(length);
            }
            "rank" => {
                let rank: LitInt = meta.value()?.parse()?;
                rank.base10_parse::<i32>()?;
                self.rank = Some(rank);
            }
            "password" => self.password = Some(span),
            "mandatory" => {
                self.mandatory = true;
                *mandatory = Some(span);
            }
            "read_only" => self.read_only = true,
            _ => {
                return Err(meta.error(format!(
                    "not an attribute of a {}, expected one of {ATTRIBUTES}",
                    self.kind.name()
                )));
            }
        }
        Ok(())
    }

    fn check(&self, mandatory: Option<Span>) -> Result<()> {
        if let (Some(span), true) = (mandatory, is_option(&self.ty)) {
            let text = format!(
                "an Option may be left empty: for a mandatory {} use the type without Option",
                self.kind.name()
            );
            return Err(Error::new(span, text));
        }
        if let (Some(span), Some(_)) = (self.password, &self.list) {
            return Err(Error::new(
                span,
                "a password is not taken from a list: use one of `password` and `list`",
            ));
        }
        if let (Some(_), Some(default)) = (self.password, &self.default) {
            return Err(Error::new(default.span, "a password has no default: everybody would know it"));
        }
        Ok(())
    }
}

impl DefaultValue {
    fn read(expr: Expr) -> Result<Self> {
        let span = expr.span();
        let (negative, plain) = match expr {
            Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => (true, *expr),
            plain => (false, plain),
        };
        let Expr::Lit(ExprLit { lit, .. }) = plain else { return Err(no_literal(span)) };
        let sign = if negative { "-" } else { "" };
        let literal = match lit {
            Lit::Int(number) => Literal::Integer(with_sign(sign, number.base10_digits(), span)?),
            Lit::Float(number) => Literal::Double(with_sign(sign, number.base10_digits(), span)?),
            Lit::Str(text) if !negative => Literal::Text(text.value()),
            Lit::Bool(on) if !negative => Literal::Checkbox(on.value),
            _ => return Err(no_literal(span)),
        };
        Ok(DefaultValue { span, literal })
    }
}

fn with_sign<T: FromStr<Err: Display>>(sign: &str, digits: &str, span: Span) -> Result<T> {
    format!("{sign}{digits}").parse().map_err(|error| Error::new(span, error))
}

fn no_literal(span: Span) -> Error {
    Error::new(span, "expected a literal: \"text\", 5, 1.5, true or false")
}

/// `= "text"` or `(us = "text", no = "tekst")`, in wire form.
fn localized(meta: &ParseNestedMeta<'_>) -> Result<String> {
    if meta.input.peek(Token![=]) {
        return Ok(meta.value()?.parse::<LitStr>()?.value());
    }
    let mut texts: Vec<String> = Vec::new();
    meta.parse_nested_meta(|language| {
        let code = language.path.require_ident()?.to_string().to_uppercase();
        let text: LitStr = language.value()?.parse()?;
        texts.push(format!("{code}:\"{}\"", text.value()));
        Ok(())
    })?;
    if texts.is_empty() {
        return Err(meta.error("expected a text for each language, such as `label(us = \"File name\")`"));
    }
    Ok(texts.join(";"))
}

/// The lines of a doc comment as one text.
fn doc_comment(attributes: &[Attribute]) -> Option<String> {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    let text = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

/// `file_name` -> `FileName`.
fn pascal_case(ident: &Ident) -> String {
    let name = ident.to_string();
    let words = name.trim_start_matches("r#").split('_');
    words
        .flat_map(|word| {
            let mut chars = word.chars();
            chars.next().into_iter().flat_map(char::to_uppercase).chain(chars)
        })
        .collect()
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

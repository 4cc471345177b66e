//! The schemas of the WSDL.

use values::{Access, FieldType, State};

use crate::class::{self, Class, Kind, Member};
use crate::{Dialect, MemberOrder, Operation, namespace};

const SERIALIZATION: &str = "http://schemas.microsoft.com/2003/10/Serialization/";

/// Appends the schemas.
pub(super) fn write(out: &mut String, dialect: Dialect, order: MemberOrder) {
    let is_plain = dialect == Dialect::Plain;
    let imports: &[&str] = if is_plain {
        &[namespace::PLAIN, namespace::ARRAYS, namespace::PLAIN_AUTHENTICATION]
    } else {
        &[namespace::ARRAYS]
    };
    open(out, namespace::CONTRACT, imports);
    match dialect {
        Dialect::Message => message_classes(out, order),
        Dialect::MessageByOperation => message_operations(out, order),
        Dialect::Data | Dialect::Plain => operation_elements(out, is_plain),
    }
    if dialect == Dialect::Data {
        data_classes(out, order, "tns", |_| true);
    }
    carriers(out);
    *out += "</xs:schema>";
    if is_plain {
        open(out, namespace::PLAIN, &[namespace::CONTRACT, namespace::ARRAYS]);
        data_classes(out, order, "plain", |operation| operation != Operation::Authenticate);
        *out += "</xs:schema>";
        open(out, namespace::PLAIN_AUTHENTICATION, &[]);
        data_classes(out, order, "auth", |operation| operation == Operation::Authenticate);
        *out += "</xs:schema>";
    }
    serialization(out);
    arrays(out);
}

/// The prefixes: `tns` the contract, `arr` arrays, `plain` and `auth` the namespaces of the `plain` dialect.
fn open(out: &mut String, target: &str, imports: &[&str]) {
    *out += &format!(
        r#"<xs:schema elementFormDefault="qualified" targetNamespace="{target}" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:tns="{}" xmlns:arr="{}" xmlns:plain="{}" xmlns:auth="{}">"#,
        namespace::CONTRACT,
        namespace::ARRAYS,
        namespace::PLAIN,
        namespace::PLAIN_AUTHENTICATION,
    );
    for import in imports {
        *out += &format!(r#"<xs:import namespace="{import}"/>"#);
    }
}

/// The classes of requests and replies, each once, a base class before what inherits from it.
fn classes(mut wanted: impl FnMut(Operation) -> bool) -> Vec<&'static Class> {
    let mut classes: Vec<&'static Class> = Vec::new();
    for &operation in Operation::ALL.iter().filter(|&&operation| wanted(operation)) {
        for class in operation.request().into_iter().chain([operation.reply()]) {
            for class in class.base.into_iter().chain([class]) {
                if !classes.iter().any(|known| known.name == class.name) {
                    classes.push(class);
                }
            }
        }
    }
    classes
}

/// `message`: an element for each class.
fn message_classes(out: &mut String, order: MemberOrder) {
    for class in classes(|_| true) {
        message_element(out, order, class.name, class);
    }
}

/// `message` by operation: an element for each direction of an operation.
fn message_operations(out: &mut String, order: MemberOrder) {
    static NOTHING: Class = Class { name: "", base: None, own: &[] };
    for &operation in Operation::ALL {
        message_element(out, order, operation.name(), operation.request().unwrap_or(&NOTHING));
        message_element(out, order, &format!("{operation}Response"), operation.reply());
    }
}

/// An element with all members of a class.
fn message_element(out: &mut String, order: MemberOrder, name: &str, class: &Class) {
    *out += &format!(r#"<xs:element name="{name}"><xs:complexType>"#);
    sequence(out, class.members(order, false));
    *out += "</xs:complexType></xs:element>";
}

/// `data` and `plain`: an element for each direction of an operation, with one level for the members.
fn operation_elements(out: &mut String, is_plain: bool) {
    for &operation in Operation::ALL {
        let prefix = match operation {
            _ if !is_plain => "tns",
            Operation::Authenticate => "auth",
            _ => "plain",
        };
        let parameter = |name: &str, class: &str| {
            format!(r#"<xs:element minOccurs="0" name="{name}" nillable="true" type="{prefix}:{class}"/>"#)
        };
        let request = operation.request_class().map(|class| parameter("request", class));
        let reply = parameter(&format!("{operation}Result"), operation.reply_class());
        *out += &format!(
            r#"<xs:element name="{operation}"><xs:complexType><xs:sequence>{}</xs:sequence></xs:complexType></xs:element><xs:element name="{operation}Response"><xs:complexType><xs:sequence>{reply}</xs:sequence></xs:complexType></xs:element>"#,
            request.unwrap_or_default()
        );
    }
}

/// `data` and `plain`: a type for each class, with inheritance, and the element that WCF adds to every type.
fn data_classes(out: &mut String, order: MemberOrder, prefix: &str, wanted: impl FnMut(Operation) -> bool) {
    for class in classes(wanted) {
        let name = class.name;
        *out += &format!(r#"<xs:complexType name="{name}">"#);
        if let Some(base) = class.base {
            *out +=
                &format!(r#"<xs:complexContent mixed="false"><xs:extension base="{prefix}:{}">"#, base.name);
        }
        sequence(out, class.own_members(order));
        if class.base.is_some() {
            *out += "</xs:extension></xs:complexContent>";
        }
        *out += "</xs:complexType>";
        type_element(out, prefix, name);
    }
}

/// What requests and replies carry: in the contract's namespace in every dialect.
fn carriers(out: &mut String) {
    for class in [&class::ACTOR, &class::FIELD, &class::RESTRICTION] {
        let name = class.name;
        let array = format!("ArrayOf{name}");
        *out += &format!(r#"<xs:complexType name="{name}">"#);
        sequence(out, class.members(MemberOrder::Name, true));
        *out += "</xs:complexType>";
        type_element(out, "tns", name);
        *out += &format!(
            r#"<xs:complexType name="{array}"><xs:sequence><xs:element minOccurs="0" maxOccurs="unbounded" name="{name}" nillable="true" type="tns:{name}"/></xs:sequence></xs:complexType>"#
        );
        type_element(out, "tns", &array);
    }
    enumeration(out, "ResponseStateWS", State::ALL.iter().map(|state| state.as_str()));
    enumeration(out, "FieldAccessInfoWS", Access::ALL.iter().map(|access| access.as_str()));
    enumeration(out, "FieldMetadataTypeInfoWS", FieldType::ALL.iter().map(|field_type| field_type.as_str()));
}

fn enumeration(out: &mut String, name: &str, values: impl Iterator<Item = &'static str>) {
    *out += &format!(r#"<xs:simpleType name="{name}"><xs:restriction base="xs:string">"#);
    for value in values {
        *out += &format!(r#"<xs:enumeration value="{value}"/>"#);
    }
    *out += "</xs:restriction></xs:simpleType>";
    type_element(out, "tns", name);
}

fn type_element(out: &mut String, prefix: &str, name: &str) {
    *out += &format!(r#"<xs:element name="{name}" nillable="true" type="{prefix}:{name}"/>"#);
}

fn sequence(out: &mut String, members: Vec<Member>) {
    *out += "<xs:sequence>";
    for member in members {
        let (is_reference, name) = match member.kind() {
            Kind::Text => (true, "xs:string"),
            Kind::Boolean => (false, "xs:boolean"),
            Kind::Int => (false, "xs:int"),
            Kind::State => (false, "tns:ResponseStateWS"),
            Kind::Access => (false, "tns:FieldAccessInfoWS"),
            Kind::FieldType => (false, "tns:FieldMetadataTypeInfoWS"),
            Kind::Texts => (true, "arr:ArrayOfstring"),
            Kind::Dictionary => (true, "arr:ArrayOfKeyValueOfstringstring"),
            Kind::Actor => (true, "tns:ErpActorWS"),
            Kind::Actors => (true, "tns:ArrayOfErpActorWS"),
            Kind::Fields => (true, "tns:ArrayOfFieldMetadataInfoWS"),
            Kind::Restrictions => (true, "tns:ArrayOfSearchRestrictionInfoWS"),
        };
        let nillable = if is_reference { r#" nillable="true""# } else { "" };
        *out += &format!(r#"<xs:element minOccurs="0" name="{}"{nillable} type="{name}"/>"#, member.name());
    }
    *out += "</xs:sequence>";
}

/// Arrays and dictionaries.
fn arrays(out: &mut String) {
    open(out, namespace::ARRAYS, &[]);
    *out += &format!(
        r#"<xs:complexType name="ArrayOfKeyValueOfstringstring"><xs:annotation><xs:appinfo><IsDictionary xmlns="{SERIALIZATION}">true</IsDictionary></xs:appinfo></xs:annotation><xs:sequence><xs:element minOccurs="0" maxOccurs="unbounded" name="KeyValueOfstringstring"><xs:complexType><xs:sequence><xs:element name="Key" nillable="true" type="xs:string"/><xs:element name="Value" nillable="true" type="xs:string"/></xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType>"#
    );
    type_element(out, "arr", "ArrayOfKeyValueOfstringstring");
    *out += r#"<xs:complexType name="ArrayOfstring"><xs:sequence><xs:element minOccurs="0" maxOccurs="unbounded" name="string" nillable="true" type="xs:string"/></xs:sequence></xs:complexType>"#;
    type_element(out, "arr", "ArrayOfstring");
    *out += "</xs:schema>";
}

/// .NET's own types, which every WCF service publishes whether it uses them or not.
fn serialization(out: &mut String) {
    *out += &format!(
        r#"<xs:schema attributeFormDefault="qualified" elementFormDefault="qualified" targetNamespace="{SERIALIZATION}" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:ser="{SERIALIZATION}">"#
    );
    for name in [
        "anyType",
        "anyURI",
        "base64Binary",
        "boolean",
        "byte",
        "dateTime",
        "decimal",
        "double",
        "float",
        "int",
        "long",
        "QName",
        "short",
        "string",
        "unsignedByte",
        "unsignedInt",
        "unsignedLong",
        "unsignedShort",
    ] {
        *out += &format!(r#"<xs:element name="{name}" nillable="true" type="xs:{name}"/>"#);
    }
    for (name, base, facets) in [
        ("char", "int", ""),
        (
            "duration",
            "duration",
            r#"<xs:pattern value="\-?P(\d*D)?(T(\d*H)?(\d*M)?(\d*(\.\d*)?S)?)?"/><xs:minInclusive value="-P10675199DT2H48M5.4775808S"/><xs:maxInclusive value="P10675199DT2H48M5.4775807S"/>"#,
        ),
        (
            "guid",
            "string",
            r#"<xs:pattern value="[\da-fA-F]{8}-[\da-fA-F]{4}-[\da-fA-F]{4}-[\da-fA-F]{4}-[\da-fA-F]{12}"/>"#,
        ),
    ] {
        type_element(out, "ser", name);
        simple_type(out, name, base, facets);
    }
    let day = "([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
    simple_type(out, "dateOnly", "date", &format!(r#"<xs:pattern value="{day}"/>"#));
    let time = r"([01][0-9]|2[0-3]):([0-5][0-9])(:([0-5][0-9])(\.[0-9]{1,7})?)?";
    simple_type(out, "timeOnly", "time", &format!(r#"<xs:pattern value="{time}"/>"#));
    *out += r#"<xs:attribute name="FactoryType" type="xs:QName"/><xs:attribute name="Id" type="xs:ID"/><xs:attribute name="Ref" type="xs:IDREF"/>"#;
    *out += "</xs:schema>";
}

fn simple_type(out: &mut String, name: &str, base: &str, facets: &str) {
    *out += &format!(
        r#"<xs:simpleType name="{name}"><xs:restriction base="xs:{base}">{facets}</xs:restriction></xs:simpleType>"#
    );
}

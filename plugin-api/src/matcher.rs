//! The matcher: whether an actor fits the restrictions of a search.

use std::ops::{Bound, RangeBounds};

use crate::abi::RowRef;
use crate::connector::searchable_fields;
use crate::folded::Folded;
use crate::{
    Actor, Connection, Context, DateTime, Error, Field, FieldType, Operator, Parent, Restriction, Result,
    RowFilter, Value, error_code,
};

/// The restrictions of an advanced search, prepared once and then compared with any number of actors (contract page,
/// section 4).
///
/// - **Text** is compared in any case (`SØNNER` is `sønner`); `between` goes by code points. A field that is null or
///   absent counts as the empty text: `=` with an empty value finds what is not filled in, and `isnot`, `notbegins`,
///   `notcontains` and `notends` with a value find it too.
/// - **List** keys are compared as they stand. Null and absent count as the empty key.
/// - **Integer, Double**: null is equal to nothing, and neither smaller nor greater; only `!=` finds it. `=` with an
///   empty value finds what is not filled in, `!=` with an empty value what is.
/// - **Datetime**: as numbers, and without the seconds on both sides, unless made by [`Matcher::with_seconds`].
/// - **Checkbox**: `=` finds what is set so. Null is neither; `=` with an empty value finds it.
/// - Both bounds of `between` count. Bounds in the wrong order find nothing.
/// - A value that does not hold what its field's type promises is filled in, but fits no other restriction, and does not
///   fail the search.
/// - **Parents**: `ParentActorType` and `ParentErpKey` come together, each with `=`, and find the children of that actor.
///
/// ```
/// use plugin_api::{Actor, Field, Matcher, Operator, Restriction};
///
/// let fields = [Field::text("NAME"), Field::integer("LIMIT")];
/// let restrictions = [
///     Restriction::new("NAME", Operator::Contains, ["berg"]),
///     Restriction::new("LIMIT", Operator::Between, ["[I:10]", "[I:20]"]),
/// ];
/// let matcher = Matcher::new(&restrictions, &fields)?;
/// assert!(matcher.matches(&Actor::new("Customer", "1").with("NAME", "Bergen AS").with("LIMIT", 20)));
/// assert!(!matcher.matches(&Actor::new("Customer", "2").with("NAME", "Bergen AS")));
/// # Ok::<(), plugin_api::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Matcher {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) parent: Option<Parent>,
}

/// What a search is compared with: a row, an [`Actor`], or a type of the author's own.
pub trait Candidate {
    /// The key in the ERP system.
    fn key(&self) -> &str;

    /// Actor type and key of the parent.
    fn parent(&self) -> Option<(&str, &str)>;

    /// The value of a field in wire form; `None` when it is null or absent.
    fn value(&self, field: &str) -> Option<&str>;
}

/// A restriction with its values read.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) field: String,
    pub(crate) test: Test,
    /// False for the operators that negate another one.
    pub(crate) wanted: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Test {
    Text(TextTest),
    OneOf(Vec<String>),
    Checkbox(bool),
    Integer(Range<i64>),
    Double(Range<f64>),
    Datetime {
        range: Range<DateTime>,
        seconds: bool,
    },
    /// There is no value; for the types that are not text.
    Empty,
}

#[derive(Debug, Clone)]
pub(crate) enum TextTest {
    Is(Folded),
    Begins(Folded),
    Contains(Folded),
    Ends(Folded),
    Between(Folded, Folded),
}

pub(crate) type Range<T> = (Bound<T>, Bound<T>);

impl Matcher {
    /// Prepares restrictions for actors with these fields. Dates are compared without their seconds.
    ///
    /// # Errors
    /// A restriction makes no sense: its field is not among `fields` (code
    /// [`UNKOWN_FIELDKEY`](error_code::UNKOWN_FIELDKEY)), its operator is none of the field's type, it has too few, too
    /// many or unreadable values, or one half of the parent is missing.
    pub fn new(restrictions: &[Restriction], fields: &[Field]) -> Result<Self> {
        Matcher::build(restrictions, fields, false)
    }

    /// Prepares restrictions for actors of a connection, with the fields that it lets search in.
    ///
    /// # Errors
    /// As [`Matcher::new`], or the fields cannot be read.
    pub fn of(
        connection: &(impl Connection + ?Sized),
        cx: &Context,
        actor_type: &str,
        restrictions: &[Restriction],
    ) -> Result<Self> {
        Matcher::new(restrictions, &searchable_fields(connection, cx, actor_type)?)
    }

    /// As [`Matcher::new`], but the seconds of dates and their fractions count.
    ///
    /// # Errors
    /// As [`Matcher::new`].
    pub fn with_seconds(restrictions: &[Restriction], fields: &[Field]) -> Result<Self> {
        Matcher::build(restrictions, fields, true)
    }

    /// Whether all restrictions hold for an actor.
    pub fn matches(&self, actor: &(impl Candidate + ?Sized)) -> bool {
        self.parent.as_ref().is_none_or(|parent| parent.is(actor.parent()))
            && self.conditions.iter().all(|condition| condition.holds(actor.value(&condition.field)))
    }

    /// The parent that the actors must have: for connectors that find its children faster than by looking at all.
    pub fn parent(&self) -> Option<&Parent> {
        self.parent.as_ref()
    }

    fn build(restrictions: &[Restriction], fields: &[Field], seconds: bool) -> Result<Self> {
        let mut conditions = Vec::with_capacity(restrictions.len());
        let (mut parent_type, mut parent_key) = (None, None);
        for restriction in restrictions {
            match restriction.field.as_str() {
                Restriction::PARENT_TYPE => parent_type = Some(half_of_parent(restriction)?),
                Restriction::PARENT_KEY => parent_key = Some(half_of_parent(restriction)?),
                _ => conditions.push(Condition::new(restriction, field_of(restriction, fields)?, seconds)?),
            }
        }
        let parent = match (parent_type, parent_key) {
            (Some(actor_type), Some(key)) => {
                Some(Parent { actor_type: actor_type.to_owned(), key: key.to_owned() })
            }
            (None, None) => None,
            (Some(_), None) => return Err(lone_half_of_parent(Restriction::PARENT_TYPE)),
            (None, Some(_)) => return Err(lone_half_of_parent(Restriction::PARENT_KEY)),
        };
        Ok(Matcher { conditions, parent })
    }
}

impl RowFilter for Matcher {
    fn needs(&self, field: &str) -> bool {
        self.conditions.iter().any(|condition| condition.field == field)
    }

    fn matches(&self, row: &RowRef<'_>) -> bool {
        Matcher::matches(self, row)
    }
}

impl Candidate for RowRef<'_> {
    fn key(&self) -> &str {
        self.key
    }

    fn parent(&self) -> Option<(&str, &str)> {
        self.parent
    }

    fn value(&self, field: &str) -> Option<&str> {
        self.field(field).flatten()
    }
}

impl Candidate for Actor {
    fn key(&self) -> &str {
        &self.key
    }

    fn parent(&self) -> Option<(&str, &str)> {
        self.parent.as_ref().map(|parent| (parent.actor_type.as_str(), parent.key.as_str()))
    }

    fn value(&self, field: &str) -> Option<&str> {
        self.field(field).flatten()
    }
}

impl Condition {
    fn new(restriction: &Restriction, field: &Field, seconds: bool) -> Result<Self> {
        use Operator as Op;
        check_operator(restriction, field.field_type)?;
        let operator = restriction.operator;
        let wanted = !matches!(
            operator,
            Op::NotEqual | Op::IsNot | Op::NotBegins | Op::NotContains | Op::NotEnds | Op::NotOneOf
        );
        let empty = matches!(operator, Op::Equal | Op::NotEqual)
            && restriction.values.iter().all(|value| value.is_empty());
        let test = match field.field_type {
            FieldType::List => Test::OneOf(restriction.values.clone()),
            FieldType::Text => Test::Text(TextTest::new(restriction)?),
            _ if empty => Test::Empty,
            FieldType::Checkbox => Test::Checkbox(read(restriction, one(restriction)?, field, checkbox)?),
            FieldType::Integer => {
                Test::Integer(range(restriction, |text| read(restriction, text, field, integer))?)
            }
            FieldType::Double => {
                Test::Double(range(restriction, |text| read(restriction, text, field, double))?)
            }
            _ => {
                let date = |text: &str| Ok(rounded(read(restriction, text, field, date_time)?, seconds));
                Test::Datetime { range: range(restriction, date)?, seconds }
            }
        };
        Ok(Condition { field: restriction.field.clone(), test, wanted })
    }

    pub(crate) fn holds(&self, value: Option<&str>) -> bool {
        let text = value.unwrap_or_default();
        let found = match &self.test {
            Test::Text(test) => Some(test.holds(text)),
            Test::OneOf(keys) => Some(keys.iter().any(|key| key == text)),
            Test::Empty => Some(text.is_empty()),
            _ if text.is_empty() => Some(false),
            Test::Checkbox(wanted) => typed(text, FieldType::Checkbox, checkbox).map(|on| on == *wanted),
            Test::Integer(range) => {
                typed(text, FieldType::Integer, integer).map(|number| range.contains(&number))
            }
            Test::Double(range) => {
                typed(text, FieldType::Double, double).map(|number| range.contains(&number))
            }
            Test::Datetime { range, seconds } => typed(text, FieldType::Datetime, date_time)
                .map(|date| range.contains(&rounded(date, *seconds))),
        };
        // None: not a value of the field's type, which fits nothing.
        found.is_some_and(|found| found == self.wanted)
    }
}

impl TextTest {
    fn new(restriction: &Restriction) -> Result<Self> {
        use Operator as Op;
        if restriction.operator == Op::Between {
            let (from, to) = two(restriction)?;
            return Ok(TextTest::Between(Folded::new(from), Folded::new(to)));
        }
        let text = Folded::new(one(restriction)?);
        Ok(match restriction.operator {
            Op::Begins | Op::NotBegins => TextTest::Begins(text),
            Op::Contains | Op::NotContains => TextTest::Contains(text),
            Op::Ends | Op::NotEnds => TextTest::Ends(text),
            _ => TextTest::Is(text),
        })
    }

    fn holds(&self, text: &str) -> bool {
        match self {
            TextTest::Is(wanted) => wanted.is(text),
            TextTest::Begins(wanted) => wanted.begins(text),
            TextTest::Contains(wanted) => wanted.is_in(text),
            TextTest::Ends(wanted) => wanted.ends(text),
            TextTest::Between(from, to) => from.order_of(text).is_ge() && to.order_of(text).is_le(),
        }
    }
}

/// The range that the operator and its values span; that of `!=` is what it excludes.
fn range<T: Copy>(restriction: &Restriction, read: impl Fn(&str) -> Result<T>) -> Result<Range<T>> {
    use Bound::{Excluded, Included, Unbounded};
    use Operator as Op;
    if restriction.operator == Op::Between {
        let (from, to) = two(restriction)?;
        return Ok((Included(read(from)?), Included(read(to)?)));
    }
    let value = read(one(restriction)?)?;
    Ok(match restriction.operator {
        Op::Less | Op::Before => (Unbounded, Excluded(value)),
        Op::LessOrEqual | Op::BeforeOrEqual => (Unbounded, Included(value)),
        Op::Greater | Op::After => (Excluded(value), Unbounded),
        Op::GreaterOrEqual | Op::AfterOrEqual => (Included(value), Unbounded),
        _ => (Included(value), Included(value)),
    })
}

pub(crate) fn typed<T>(text: &str, field_type: FieldType, pick: fn(Value<'_>) -> Option<T>) -> Option<T> {
    Value::parse(text, field_type).ok().and_then(pick)
}

pub(crate) fn checkbox(value: Value<'_>) -> Option<bool> {
    if let Value::Checkbox(on) = value { Some(on) } else { None }
}

pub(crate) fn integer(value: Value<'_>) -> Option<i64> {
    if let Value::Integer(number) = value { Some(number) } else { None }
}

pub(crate) fn double(value: Value<'_>) -> Option<f64> {
    if let Value::Double(number) = value { Some(number) } else { None }
}

pub(crate) fn date_time(value: Value<'_>) -> Option<DateTime> {
    if let Value::DateTime(date) = value { Some(date) } else { None }
}

pub(crate) fn rounded(date: DateTime, seconds: bool) -> DateTime {
    if seconds { date } else { date.without_seconds() }
}

/// A value of a restriction, read as its field's type.
fn read<T>(
    restriction: &Restriction,
    text: &str,
    field: &Field,
    pick: fn(Value<'_>) -> Option<T>,
) -> Result<T> {
    let (key, operator) = (&restriction.field, restriction.operator);
    let value = Value::parse(text, field.field_type)
        .map_err(|error| Error::user(format!("the search for {key:?} with {operator} fails: {error}")))?;
    pick(value).ok_or_else(|| {
        Error::user(format!("the search for {key:?} with {operator} needs a value, but it is empty"))
    })
}

/// The only value of a restriction; none at all is the empty text.
fn one(restriction: &Restriction) -> Result<&str> {
    match restriction.values.as_slice() {
        [] => Ok(""),
        [value] => Ok(value),
        _ => Err(wrong_count(restriction, "one value")),
    }
}

fn two(restriction: &Restriction) -> Result<(&str, &str)> {
    match restriction.values.as_slice() {
        [from, to] => Ok((from, to)),
        _ => Err(wrong_count(restriction, "two values")),
    }
}

fn wrong_count(restriction: &Restriction, expected: &str) -> Error {
    let Restriction { field, operator, values } = restriction;
    Error::user(format!("the search for {field:?} with {operator} expects {expected}, not {}", values.len()))
}

fn field_of<'f>(restriction: &Restriction, fields: &'f [Field]) -> Result<&'f Field> {
    let field = fields.iter().find(|field| field.key == restriction.field);
    field.ok_or_else(|| {
        let known: Vec<_> = fields.iter().map(|field| field.key.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let key = &restriction.field;
        Error::user(format!(
            "there is no field {key:?} to search in, those that can be searched are: {known}"
        ))
        .code(error_code::UNKOWN_FIELDKEY)
    })
}

fn check_operator(restriction: &Restriction, field_type: FieldType) -> Result<()> {
    let allowed = Restriction::operators(field_type);
    if allowed.contains(&restriction.operator) {
        return Ok(());
    }
    let Restriction { field, operator, .. } = restriction;
    if allowed.is_empty() {
        return Err(Error::user(format!("the field {field:?} of type {field_type} cannot be searched")));
    }
    let allowed: Vec<_> = allowed.iter().map(|operator| operator.as_str()).collect();
    Err(Error::user(format!(
        "the field {field:?} of type {field_type} cannot be searched with {operator}, expected one of {}",
        allowed.join(", ")
    )))
}

fn half_of_parent(restriction: &Restriction) -> Result<&str> {
    if restriction.operator != Operator::Equal {
        let Restriction { field, operator, .. } = restriction;
        return Err(Error::user(format!("{field} cannot be searched with {operator}, expected =")));
    }
    match one(restriction)? {
        "" => Err(Error::user(format!(
            "the search for {} with = needs a value, but it is empty",
            restriction.field
        ))),
        value => Ok(value),
    }
}

fn lone_half_of_parent(given: &str) -> Error {
    Error::user(format!(
        "the restrictions {} and {} come together, but only {given} was given",
        Restriction::PARENT_TYPE,
        Restriction::PARENT_KEY
    ))
}

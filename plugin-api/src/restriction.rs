//! Search restrictions.

use crate::{Error, FieldType, FieldValue, Operator, Result, field_value};

/// A condition of an advanced search (`SearchRestrictionInfoWS` of the contract). All restrictions of a search hold
/// together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// The key of the field, or one of [`Restriction::PARENT_TYPE`] and [`Restriction::PARENT_KEY`].
    pub field: String,
    /// How the field's value is compared.
    pub operator: Operator,
    /// The values to compare with, in wire form: one, two for `between`, any number for `oneof` and `notoneof`.
    /// [`value`](Restriction::value), [`bounds`](Restriction::bounds) and [`all`](Restriction::all) have them as types.
    pub values: Vec<String>,
}

impl Restriction {
    /// With [`Restriction::PARENT_KEY`]: only children of an actor of this type.
    pub const PARENT_TYPE: &'static str = "ParentActorType";
    /// With [`Restriction::PARENT_TYPE`]: only children of the actor with this key.
    pub const PARENT_KEY: &'static str = "ParentErpKey";

    /// A restriction.
    pub fn new<V: Into<String>>(
        field: impl Into<String>,
        operator: Operator,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        Restriction { field: field.into(), operator, values: values.into_iter().map(Into::into).collect() }
    }

    /// The value to compare with, as a type of the author's.
    ///
    /// ```
    /// use plugin_api::{Operator, Restriction};
    ///
    /// let restriction = Restriction::new("CREDIT", Operator::Greater, ["[F:1000]"]);
    /// assert_eq!(restriction.value::<f64>()?, 1000.0);
    /// let between = Restriction::new("COUNT", Operator::Between, ["[I:1]", "[I:9]"]);
    /// assert_eq!(between.bounds::<i64>()?, (1, 9));
    /// # Ok::<(), plugin_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is none or more than one, or it is not of this type.
    pub fn value<T: FieldValue>(&self) -> Result<T> {
        match self.values.as_slice() {
            [value] => self.read(value),
            [] => self.read(""),
            values => Err(self.wrong_count(values.len(), "one")),
        }
    }

    /// All values to compare with.
    ///
    /// # Errors
    /// One of them is not of this type.
    pub fn all<T: FieldValue>(&self) -> Result<Vec<T>> {
        self.values.iter().map(|value| self.read(value)).collect()
    }

    /// The bounds of `between`; both count.
    ///
    /// # Errors
    /// There are not two, or they are not of this type.
    pub fn bounds<T: FieldValue>(&self) -> Result<(T, T)> {
        match self.values.as_slice() {
            [from, to] => Ok((self.read(from)?, self.read(to)?)),
            values => Err(self.wrong_count(values.len(), "two")),
        }
    }

    /// The least and the greatest value that the restriction finds, where there are such bounds, for a query that finds all of
    /// them and perhaps more: leave the rest to a [`Matcher`](crate::Matcher), which compares dates without their seconds: so
    /// the bounds are the start and the end of a minute.
    ///
    /// ```
    /// use plugin_api::{Operator, Restriction};
    ///
    /// assert_eq!(Restriction::new("CREDIT", Operator::Greater, ["[F:1000]"]).range::<f64>()?, (Some(1000.0), None));
    /// assert_eq!(Restriction::new("CREDIT", Operator::Between, ["1", "9"]).range::<f64>()?, (Some(1.0), Some(9.0)));
    /// assert_eq!(Restriction::new("CREDIT", Operator::NotEqual, ["1"]).range::<f64>()?, (None, None));
    /// # Ok::<(), plugin_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`value`](Restriction::value) and [`bounds`](Restriction::bounds).
    pub fn range<T: FieldValue>(&self) -> Result<(Option<T>, Option<T>)> {
        use Operator as Op;
        // An empty value stands for null.
        let value = || self.value::<Option<T>>();
        let (from, to) = match self.operator {
            Op::Equal => (value()?, value()?),
            Op::Greater | Op::GreaterOrEqual | Op::After | Op::AfterOrEqual => (value()?, None),
            Op::Less | Op::LessOrEqual | Op::Before | Op::BeforeOrEqual => (None, value()?),
            Op::Between => self.bounds::<Option<T>>()?,
            _ => (None, None),
        };
        Ok((from.map(T::start_of_range), to.map(T::end_of_range)))
    }

    /// A pattern for SQL's `LIKE` or the like, which finds all that the restriction finds, and perhaps more: leave the rest to a
    /// [`Matcher`](crate::Matcher). `None` when no pattern does, as for `isnot`. The comparison has to ignore the case, as that
    /// of the contract does; few databases do that for all letters: see [`LikeDialect::ascii_case`].
    ///
    /// ```
    /// use plugin_api::{LikeDialect, Operator, Restriction};
    ///
    /// let begins = Restriction::new("NAME", Operator::Begins, ["50% of"]);
    /// assert_eq!(begins.like(LikeDialect::SQL).as_deref(), Some("50\\% of%"));
    /// assert_eq!(Restriction::new("NAME", Operator::NotContains, ["a"]).like(LikeDialect::SQL), None);
    /// ```
    pub fn like(&self, dialect: LikeDialect) -> Option<String> {
        let [value] = self.values.as_slice() else { return None };
        let pattern = dialect.escaped(value);
        let any = dialect.any;
        match self.operator {
            // An empty value stands for null, too.
            _ if value.is_empty() => None,
            // Nothing is left to search for.
            _ if dialect.ascii_case && pattern.chars().all(|char| char == any) => None,
            Operator::Equal => Some(pattern),
            Operator::Begins => Some(format!("{pattern}{any}")),
            Operator::Ends => Some(format!("{any}{pattern}")),
            Operator::Contains => Some(format!("{any}{pattern}{any}")),
            _ => None,
        }
    }

    fn read<T: FieldValue>(&self, value: &str) -> Result<T> {
        let Restriction { field, operator, .. } = self;
        field_value::read(Some(value), format_args!("the value of {field} {operator}"))
    }

    fn wrong_count(&self, found: usize, expected: &str) -> Error {
        let Restriction { field, operator, .. } = self;
        Error::user(format!("{field} {operator} has {found} values, expected {expected}"))
    }

    /// The operators that a field of this type can be searched with (contract page, section 4); none for types that
    /// cannot be searched.
    pub const fn operators(field_type: FieldType) -> &'static [Operator] {
        use Operator as Op;
        match field_type {
            FieldType::Text => &[
                Op::Equal,
                Op::IsNot,
                Op::Begins,
                Op::Contains,
                Op::Ends,
                Op::NotBegins,
                Op::NotContains,
                Op::NotEnds,
                Op::Between,
            ],
            FieldType::Integer | FieldType::Double => &[
                Op::Equal,
                Op::NotEqual,
                Op::Greater,
                Op::Less,
                Op::GreaterOrEqual,
                Op::LessOrEqual,
                Op::Between,
            ],
            FieldType::Checkbox => &[Op::Equal],
            FieldType::List => &[Op::OneOf, Op::NotOneOf],
            FieldType::Datetime => {
                &[Op::Equal, Op::Before, Op::After, Op::BeforeOrEqual, Op::AfterOrEqual, Op::Between]
            }
            _ => &[],
        }
    }
}

/// The wildcards of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LikeDialect {
    /// Stands for any text.
    pub any: char,
    /// Stands for one character, if there is such a wildcard.
    pub one: Option<char>,
    /// Stands before a wildcard that is meant itself. Without one, the wildcard for one character is sent, or that for any text.
    pub escape: Option<char>,
    /// Whether the comparison ignores the case of ASCII letters only: see [`ascii_case`](LikeDialect::ascii_case).
    pub ascii_case: bool,
}

impl LikeDialect {
    /// `%`, `_` and `\`: `LIKE ? ESCAPE '\'` of SQL.
    pub const SQL: LikeDialect =
        LikeDialect { any: '%', one: Some('_'), escape: Some('\\'), ascii_case: false };
    /// `*` and `?`, without an escape.
    pub const STAR: LikeDialect = LikeDialect { any: '*', one: Some('?'), escape: None, ascii_case: false };

    /// For a comparison that ignores the case of ASCII letters only, as `LIKE` of SQLite, or one that takes `ß` and `ss` for
    /// different, as `ILIKE` of PostgreSQL: what it may compare in another way than the contract is left to the wildcard. These are
    /// all other characters, and the letters i, k and s, which are the lower case of `İ`, of the Kelvin sign and a part of that of
    /// `ß`. Typographic ligatures such as `ﬁ` are not found by the letters in them.
    ///
    /// ```
    /// use plugin_api::{LikeDialect, Operator, Restriction};
    ///
    /// let contains = Restriction::new("NAME", Operator::Contains, ["Møller Hansen"]);
    /// assert_eq!(contains.like(LikeDialect::SQL.ascii_case()).as_deref(), Some("%M%ller Han%en%"));
    /// ```
    #[must_use]
    pub const fn ascii_case(self) -> Self {
        LikeDialect { ascii_case: true, ..self }
    }

    fn escaped(self, text: &str) -> String {
        let mut escaped = String::with_capacity(text.len());
        for char in text.chars() {
            if self.ascii_case && (!char.is_ascii() || "iIkKsS".contains(char)) {
                if !escaped.ends_with(self.any) {
                    escaped.push(self.any);
                }
                continue;
            }
            let is_special = [Some(self.any), self.one, self.escape].contains(&Some(char));
            match self.escape {
                Some(escape) if is_special => escaped.extend([escape, char]),
                None if is_special => escaped.push(self.one.unwrap_or(self.any)),
                _ => escaped.push(char),
            }
        }
        escaped
    }
}

//! Reading page after page, in each of the ways that ERP systems have.

use std::hash::{DefaultHasher, Hash, Hasher};

use plugin_api::{Context, Result};

use crate::answer::Answer;

/// What to ask for next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// The number of the page, from 1.
    pub number: u32,
    /// The number of items that were read before.
    pub offset: usize,
    /// The cursor or link that the page before has named: see [`Page::next`].
    pub next: Option<String>,
}

/// A page that was read: see [`Answer::page`].
#[derive(Debug)]
pub struct Page<T> {
    items: Vec<T>,
    /// To recognise a page that comes again.
    fingerprint: u64,
    next: Option<Option<String>>,
}

impl<T> Page<T> {
    /// Names the cursor or link of the next page; `None` when this is the last one. Without this call, the pages go on until one is
    /// empty.
    #[must_use]
    pub fn next(mut self, next: Option<impl Into<String>>) -> Self {
        self.next = Some(next.map(Into::into));
        self
    }
}

impl Answer {
    /// The answer as a page with these items.
    pub fn page<T>(&self, items: Vec<T>) -> Page<T> {
        let mut hasher = DefaultHasher::new();
        self.bytes().hash(&mut hasher);
        Page { items, fingerprint: hasher.finish(), next: None }
    }
}

/// Reads page after page, by number, offset, cursor or link: `read` asks for what [`Position`] names. Before each page the
/// call is checked for cancellation, and the page is reported as progress ([`Context::pages`]).
///
/// The pages end with an empty one, with one that has no next, and with one that is the same as the one before it: an ERP system that
/// ignores the parameter would answer for ever.
///
/// ```no_run
/// # use plugin_api::{Context, Result};
/// # use plugin_http::{pages, Client};
/// # #[derive(serde::Deserialize)] struct Customer { name: String }
/// fn names(http: &Client, cx: &Context) -> Result<Vec<String>> {
///     let mut names = Vec::new();
///     let customers = pages(cx, "customers", |at| {
///         let answer = http.get("customers").query("page", at.number).query("size", 200).send(cx)?;
///         Ok(answer.page(answer.json::<Vec<Customer>>()?))
///         // A cursor or a link: .query_if("cursor", at.next.as_ref()) above, and here .next(found.next_cursor)
///     });
///     for page in customers {
///         names.extend(page?.into_iter().map(|customer| customer.name));
///     }
///     Ok(names)
/// }
/// ```
pub fn pages<T>(
    cx: &Context,
    of: impl std::fmt::Display,
    mut read: impl FnMut(&Position) -> Result<Page<T>>,
) -> impl Iterator<Item = Result<Vec<T>>> {
    let mut next = Some(Position { number: 1, ..Position::default() });
    let mut before = None;
    cx.pages(of, move |_| {
        let Some(at) = next.take() else { return Ok(None) };
        let page = read(&at)?;
        if page.items.is_empty() || before.replace(page.fingerprint) == Some(page.fingerprint) {
            return Ok(None);
        }
        let (number, offset) = (at.number.saturating_add(1), at.offset.saturating_add(page.items.len()));
        next = match page.next {
            None => Some(Position { number, offset, next: None }),
            // A link to the same page again leads nowhere.
            Some(Some(link)) if at.next.as_ref() != Some(&link) => {
                Some(Position { number, offset, next: Some(link) })
            }
            Some(_) => None,
        };
        Ok(Some(page.items))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items, fingerprint, and what names the next page.
    type Served<'s> = (&'s [u32], u64, Option<Option<&'s str>>);

    fn read(pages: &[Served<'_>]) -> (Vec<u32>, Vec<Position>) {
        let mut asked = Vec::new();
        let mut all = Vec::new();
        for page in super::pages(&Context::default(), "numbers", |at| {
            asked.push(at.clone());
            let (items, fingerprint, next) = pages[asked.len() - 1];
            let next = next.map(|next| next.map(str::to_owned));
            Ok(Page { items: items.to_vec(), fingerprint, next })
        }) {
            all.extend(page.unwrap());
        }
        (all, asked)
    }

    #[test]
    fn pages_end_with_an_empty_and_with_a_repeated_one() {
        let (all, asked) = read(&[(&[1, 2], 1, None), (&[3], 2, None), (&[], 3, None)]);
        assert_eq!(all, [1, 2, 3]);
        assert_eq!(
            asked.iter().map(|at| (at.number, at.offset)).collect::<Vec<_>>(),
            [(1, 0), (2, 2), (3, 3)]
        );
        let (all, asked) = read(&[(&[1, 2], 1, None), (&[1, 2], 1, None)]);
        assert_eq!((all.len(), asked.len()), (2, 2));
    }

    #[test]
    fn pages_follow_cursors() {
        let (all, asked) =
            read(&[(&[1], 1, Some(Some("a"))), (&[2], 2, Some(Some("b"))), (&[3], 3, Some(None))]);
        assert_eq!(all, [1, 2, 3]);
        assert_eq!(
            asked.iter().map(|at| at.next.as_deref()).collect::<Vec<_>>(),
            [None, Some("a"), Some("b")]
        );
        let (all, asked) = read(&[(&[1], 1, Some(Some("a"))), (&[2], 2, Some(Some("a")))]);
        assert_eq!((all.len(), asked.len()), (2, 2));
    }
}

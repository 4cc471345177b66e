//! Sentences about messages of operations, each once for all operations of which it holds.

use std::collections::HashMap;

use crate::Operation;

/// So many operations at most are named as those of which a sentence does not hold.
const MAX_EXCEPTIONS: usize = 3;

/// Sentences, each with the operations of which it holds.
pub(super) struct Sentences {
    /// The operations that there are.
    operations: Vec<Operation>,
    all: Vec<(&'static str, String, Vec<Operation>)>,
    /// Where each is in the list: a message may have very many members.
    places: HashMap<(&'static str, String), usize>,
}

impl Sentences {
    pub(super) fn about(operations: Vec<Operation>) -> Self {
        Sentences { operations, all: Vec::new(), places: HashMap::new() }
    }

    /// `direction`: `requests` or `replies`.
    pub(super) fn add(&mut self, direction: &'static str, operation: Operation, text: String) {
        let place = *self.places.entry((direction, text.clone())).or_insert(self.all.len());
        match self.all.get_mut(place) {
            Some((_, _, operations)) => operations.push(operation),
            None => self.all.push((direction, text, vec![operation])),
        }
    }

    pub(super) fn into_list(self) -> Vec<String> {
        let names = |operations: &[Operation]| {
            operations.iter().map(|operation| operation.name()).collect::<Vec<_>>().join(", ")
        };
        let sentence = |(direction, text, of): &(&str, String, Vec<Operation>)| {
            let others: Vec<_> =
                self.operations.iter().copied().filter(|operation| !of.contains(operation)).collect();
            if others.is_empty() {
                format!("{direction}: {text}")
            } else if others.len() <= MAX_EXCEPTIONS && others.len() < of.len() {
                format!("{direction} of all operations but {}: {text}", names(&others))
            } else {
                format!("{direction} of {}: {text}", names(of))
            }
        };
        self.all.iter().map(sentence).collect()
    }
}

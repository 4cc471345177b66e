//! Lists of the ERP system, with each item mapped to one of the CRM.

use std::collections::BTreeSet;

use contract::Request;
use values::LocalizedText;

use super::connection::SimulatedConnection;
use super::error::SimulateError;
use super::payload;
use super::progress::Verbosity;
use super::statistics::AnomalyKind;

impl SimulatedConnection {
    /// Fetches the lists that fields use, and maps their items.
    pub(super) async fn map_lists(&mut self) -> Result<(), SimulateError> {
        let fields = self.types.iter().flat_map(|known| &known.fields);
        let names: BTreeSet<String> = fields.filter_map(|field| field.list.clone()).collect();
        for name in names {
            let request = Request::GetList { list_name: Some(name.as_str().into()) };
            let items = match self.call("", request).await? {
                Ok(payload) => payload::list(payload),
                Err(failed) => {
                    self.failed(&format!("list {name}"), &failed).await?;
                    Vec::new()
                }
            };
            let mut changes = self.crm.begin(self.connection).await?;
            for (key, text) in &items {
                let text = LocalizedText::parse(text);
                changes.list_item(&name, key, text.get(&self.options.language)).await?;
            }
            changes.commit().await?;
            self.say(Verbosity::Rounds, "list", &format!("{name}: {} items mapped", items.len()));
            self.lists.insert(name, items);
        }
        Ok(())
    }

    /// Fetches and maps a list item that was added after the setup.
    pub(super) async fn map_list_item(
        &mut self,
        actor: &str,
        list: &str,
        key: &str,
    ) -> Result<(), SimulateError> {
        if self.lists.get(list).is_some_and(|items| items.iter().any(|(known, _)| known == key)) {
            return Ok(());
        }
        let request = Request::GetListItems {
            list_name: Some(list.into()),
            list_item_keys: Some(vec![Some(key.into())]),
        };
        let items = match self.call(actor, request).await? {
            Ok(payload) => payload::list(payload),
            Err(_) => Vec::new(),
        };
        match items.into_iter().find(|(known, _)| known == key) {
            Some((_, text)) => {
                let mut changes = self.crm.begin(self.connection).await?;
                changes.list_item(list, key, LocalizedText::parse(&text).get(&self.options.language)).await?;
                changes.commit().await?;
                self.lists.entry(list.to_owned()).or_default().push((key.to_owned(), text));
                Ok(())
            }
            None => {
                let text = format!("a field holds {key:?}, which is no item of the list {list}");
                self.anomaly(AnomalyKind::Reply, actor, text).await
            }
        }
    }
}

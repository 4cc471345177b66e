//! How a connection begins: form, test, save, test again; actor types and fields; which field of the CRM belongs to
//! which; lists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contract::{Dictionary, Field, Guid, Payload, Request};
use values::{Access, FieldType, LocalizedText};

use super::crm::FieldRow;
use super::life::{ActorType, Life, SyncField, Willing, new_guid};
use super::narration::Detail;
use super::record::AnomalyKind;
use super::service::{self, Failed, Service};
use super::{ErpUser, SimulateError, mapping};
use erp_host_client::form::{FilledForm, Form, FormField};

const MASK: &str = "********";

impl Life {
    /// Everything up to the mapping.
    pub(super) async fn set_up(&mut self) -> Result<(), SimulateError> {
        let (form, filled) = self.fill_form().await?;
        self.save_connection(&form, filled).await?;
        self.describe_types().await?;
        self.map_lists().await
    }

    async fn fill_form(&mut self) -> Result<(Form, FilledForm), SimulateError> {
        let fields = self.in_setup("fetching the form", None, Request::GetConfigData).await?;
        let mut form = Form::new(service::fields(fields).into_iter().map(FormField::from).collect());
        for name in form.missing_lists() {
            // A list that a setting names comes before there is a connection.
            let request = Request::GetList { list_name: Some(name.as_str().into()) };
            let list = self.in_setup("fetching a list of the form", Some(Guid::ZERO), request).await?;
            form.set_list(name, service::list(list));
        }
        let filled = form.fill(&self.simulation.settings, &BTreeMap::new());
        let language = &self.simulation.language;
        let shown = form.show(language, filled.as_ref().ok());
        self.say(
            Detail::Rounds,
            "form",
            &format!("settings: {} (* mandatory)\n{shown}", form.fields().len()),
        );
        Ok((form, filled?))
    }

    /// Tests, saves under a new GUID, tests again.
    async fn save_connection(&mut self, form: &Form, filled: FilledForm) -> Result<(), SimulateError> {
        let dictionary: Dictionary<'_> = service::dictionary(&filled.values);
        let request = Request::TestConfigData { connection_info: Some(dictionary) };
        self.in_setup("testing the settings", None, request).await?;
        let guid = self.service.guid;
        self.service =
            Service::new(self.service.client.clone(), guid, filled.clone(), Arc::clone(&self.shared));
        self.service.save().await.map_err(|failed| failed_step("saving the connection", failed))?;
        let tested = self.service.call_as_it_is(Request::TestConnection).await;
        tested.map_err(|failed| failed_step("testing the saved connection", failed))?;

        let mut changes = self.crm.change(self.connection).await?;
        for (key, value) in &filled.values {
            let secret = form
                .fields()
                .iter()
                .any(|field| &field.key == key && field.field_type == FieldType::Password);
            changes.setting(key, if secret { Some(MASK) } else { value.as_deref() }).await?;
        }
        changes.commit().await?;
        self.say(Detail::Rounds, "saved", &format!("the connection {guid}; tested before and after"));
        Ok(())
    }

    async fn describe_types(&mut self) -> Result<(), SimulateError> {
        let types = self.in_connection("asking for actor types", Request::GetSupportedActorTypes).await?;
        let mut names = service::items(types);
        // Parents before what stands below them, whatever order they come in: persons last.
        names.sort_by_key(|name| name == values::actor_type::PERSON);
        for name in names {
            let request = Request::GetSupportedActorTypeFields { actor_type: Some(name.as_str().into()) };
            let fields = service::fields(self.in_connection("asking for fields", request).await?);
            let request = Request::GetSearchableFields { actor_type: Some(name.as_str().into()) };
            let searchable =
                service::items(self.in_connection("asking for searchable fields", request).await?);
            self.take_type(name, fields, &searchable).await?;
        }
        if self.types.is_empty() { Err(SimulateError::NoActorTypes) } else { Ok(()) }
    }

    async fn take_type(
        &mut self,
        name: String,
        fields: Vec<Field<'static>>,
        searchable: &[String],
    ) -> Result<(), SimulateError> {
        let mut changes = self.crm.change(self.connection).await?;
        let mut kept: Vec<SyncField> = Vec::new();
        let (mut automatic, mut by_hand) = (Vec::new(), Vec::new());
        for field in fields.into_iter().map(FormField::from) {
            if field.field_type == FieldType::Label || kept.iter().any(|known| known.key == field.key) {
                continue;
            }
            let (crm_field, is_automatic) = mapping::crm_field(&name, &field.key);
            changes
                .field(FieldRow {
                    actor_type: &name,
                    key: &field.key,
                    label: field.name.get(&self.simulation.language),
                    field_type: field.field_type.as_str(),
                    access: field.access.as_str(),
                    list: field.list.as_deref(),
                    crm_field: &crm_field,
                    automatic: is_automatic,
                })
                .await?;
            let text = format!("{} -> {crm_field}", field.key);
            if is_automatic { &mut automatic } else { &mut by_hand }.push(text);
            kept.push(SyncField {
                key: field.key,
                field_type: field.field_type,
                access: field.access,
                list: field.list,
                max_length: field.max_length,
            });
        }
        changes.commit().await?;
        let writable = kept.iter().filter(|field| field.is_writable()).count();
        let mandatory = kept.iter().filter(|field| field.access == Access::Mandatory).count();
        let mut text = format!(
            "{} fields, {writable} writable, {mandatory} mandatory, {} searchable",
            kept.len(),
            searchable.len()
        );
        if self.narration.tells(Detail::Everything) {
            for (how, mapped) in [("by its key", automatic), ("by hand", by_hand)] {
                for mapped in mapped {
                    text.push_str(&format!("\n{mapped} ({how})"));
                }
            }
        }
        self.say(Detail::Rounds, &name, &text);
        let (saves, creates) = (Willing::default(), Willing::default());
        self.types.push(ActorType { name, fields: kept, saves, creates, has_parents: false });
        Ok(())
    }

    /// Fetches the lists that fields name, and maps each item to one of the CRM's.
    async fn map_lists(&mut self) -> Result<(), SimulateError> {
        let fields = self.types.iter().flat_map(|known| &known.fields);
        let names: BTreeSet<String> = fields.filter_map(|field| field.list.clone()).collect();
        for name in names {
            let request = Request::GetList { list_name: Some(name.as_str().into()) };
            let items = match self.call("", request).await? {
                Ok(payload) => service::list(payload),
                Err(failed) => {
                    self.failed(&format!("list {name}"), &failed).await?;
                    Vec::new()
                }
            };
            let mut changes = self.crm.change(self.connection).await?;
            for (key, text) in &items {
                let text = LocalizedText::parse(text);
                changes.list_item(&name, key, text.get(&self.simulation.language)).await?;
            }
            changes.commit().await?;
            self.say(Detail::Rounds, "list", &format!("{name}: {} items mapped", items.len()));
            self.lists.insert(name, items);
        }
        Ok(())
    }

    /// A list item that was not there at the beginning: fetched when it is met.
    pub(super) async fn know_list_item(
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
            Ok(payload) => service::list(payload),
            Err(_) => Vec::new(),
        };
        match items.into_iter().find(|(known, _)| known == key) {
            Some((_, text)) => {
                let mut changes = self.crm.change(self.connection).await?;
                changes
                    .list_item(list, key, LocalizedText::parse(&text).get(&self.simulation.language))
                    .await?;
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

    /// Gives the made-up ERP user a connection.
    pub(super) async fn find_erp_user(&mut self) -> Result<(), SimulateError> {
        let wanted = if self.simulation.read_only { ErpUser::None } else { self.simulation.erp_user };
        let own = match wanted {
            ErpUser::None => return Ok(()),
            ErpUser::Same => None,
            ErpUser::Own | ErpUser::Auto => {
                let own = self.service.under(new_guid()?);
                own.save().await.map_err(|failed| failed_step("saving the ERP user's connection", failed))?;
                let shares = wanted == ErpUser::Own || self.sees_edits_of(&own).await?;
                if !shares {
                    // It was only tried.
                    let _ = own.call_as_it_is(Request::DeleteConnection).await;
                }
                shares.then_some(own)
            }
        };
        let text = match &own {
            Some(own) => format!("works through a connection of its own, {}", own.guid),
            None => "works through the CRM's connection".to_owned(),
        };
        self.say(Detail::Rounds, "ERP user", &text);
        let erp_user = own.unwrap_or_else(|| self.service.clone());
        self.crm.set_erp_user(self.connection, &erp_user.guid.to_string()).await?;
        self.erp_user = Some(erp_user);
        Ok(())
    }

    async fn in_setup(
        &self,
        step: &'static str,
        guid: Option<Guid>,
        request: Request<'_>,
    ) -> Result<Payload<'static>, SimulateError> {
        self.service.call_in_setup(guid, request).await.map_err(|failed| failed_step(step, failed))
    }

    pub(super) async fn in_connection(
        &self,
        step: &'static str,
        request: Request<'_>,
    ) -> Result<Payload<'static>, SimulateError> {
        self.service.call(request).await.map_err(|failed| failed_step(step, failed))
    }
}

pub(super) fn failed_step(step: &'static str, failed: Failed) -> SimulateError {
    let (Failed::Refused(error)
    | Failed::Broken(error)
    | Failed::Unreachable(error)
    | Failed::Uncertain(error)) = failed;
    SimulateError::Service { step, error: Box::new(error) }
}

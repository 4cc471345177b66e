//! The setup of a connection: form, test, save, test again; actor types and fields, and their mapping to the CRM.

use std::collections::BTreeMap;

use contract::{Dictionary, Field, Guid, Request};
use values::{Access, FieldType};

use super::actor_type::{ActorType, SyncField, WriteSupport};
use super::connection::{SimulatedConnection, failed_step};
use super::crm::FieldRow;
use super::error::SimulateError;
use super::mapping;
use super::payload;
use super::progress::Verbosity;
use erp_host_client::form::{FilledForm, Form, FormField};

/// Stored in the CRM instead of a secret.
const MASK: &str = "********";

impl SimulatedConnection {
    /// Sets the connection up.
    pub(super) async fn set_up(&mut self) -> Result<(), SimulateError> {
        let (form, filled) = self.fill_form().await?;
        self.save_connection(&form, filled).await?;
        self.describe_types().await?;
        self.map_lists().await
    }

    async fn fill_form(&mut self) -> Result<(Form, FilledForm), SimulateError> {
        let fields = self.in_setup("fetching the form", None, Request::GetConfigData).await?;
        let mut form = Form::new(payload::fields(fields).into_iter().map(FormField::from).collect());
        for name in form.missing_lists() {
            // The list of a setting is requested with the all-zero GUID, as the connection does not exist yet.
            let request = Request::GetList { list_name: Some(name.as_str().into()) };
            let list = self.in_setup("fetching a list of the form", Some(Guid::ZERO), request).await?;
            form.set_list(name, payload::list(list));
        }
        let filled = form.fill(&self.options.settings, &BTreeMap::new());
        let language = &self.options.language;
        let shown = form.show(language, filled.as_ref().ok());
        self.say(
            Verbosity::Rounds,
            "form",
            &format!("settings: {} (* mandatory)\n{shown}", form.fields().len()),
        );
        Ok((form, filled?))
    }

    /// Tests, saves under a new GUID, tests again.
    async fn save_connection(&mut self, form: &Form, filled: FilledForm) -> Result<(), SimulateError> {
        let dictionary: Dictionary<'_> = payload::dictionary(&filled.values);
        let request = Request::TestConfigData { connection_info: Some(dictionary) };
        self.in_setup("testing the settings", None, request).await?;
        let guid = self.client.guid;
        self.client = self.client.with_settings(filled.clone());
        self.client.save().await.map_err(|failed| failed_step("saving the connection", failed))?;
        let tested = self.client.call_without_resend(Request::TestConnection).await;
        tested.map_err(|failed| failed_step("testing the saved connection", failed))?;

        let mut changes = self.crm.begin(self.connection).await?;
        for (key, value) in &filled.values {
            let is_declared = form
                .fields()
                .iter()
                .any(|field| field.key.eq_ignore_ascii_case(key) && field.field_type == FieldType::Password);
            let secret = is_declared || values::is_secret_name(key);
            changes.setting(key, if secret { Some(MASK) } else { value.as_deref() }).await?;
        }
        changes.commit().await?;
        self.say(Verbosity::Rounds, "saved", &format!("the connection {guid}; tested before and after"));
        Ok(())
    }

    async fn describe_types(&mut self) -> Result<(), SimulateError> {
        let types = self.in_connection("asking for actor types", Request::GetSupportedActorTypes).await?;
        let mut names = payload::items(types);
        let only = &self.options.only;
        if let Some(wanted) = only.iter().find(|wanted| !names.contains(wanted)) {
            return Err(SimulateError::NoSuchType { wanted: wanted.clone(), known: names.join(", ") });
        }
        names.retain(|name| only.is_empty() || only.contains(name));
        // Persons last, because companies may be their parents.
        names.sort_by_key(|name| name == values::actor_type::PERSON);
        for name in names {
            let request = Request::GetSupportedActorTypeFields { actor_type: Some(name.as_str().into()) };
            let fields = payload::fields(self.in_connection("asking for fields", request).await?);
            let request = Request::GetSearchableFields { actor_type: Some(name.as_str().into()) };
            let searchable =
                payload::items(self.in_connection("asking for searchable fields", request).await?);
            self.add_type(name, fields, &searchable).await?;
        }
        if self.types.is_empty() { Err(SimulateError::NoActorTypes) } else { Ok(()) }
    }

    async fn add_type(
        &mut self,
        name: String,
        fields: Vec<Field<'static>>,
        searchable: &[String],
    ) -> Result<(), SimulateError> {
        let mut changes = self.crm.begin(self.connection).await?;
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
                    label: field.name.get(&self.options.language),
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
        if self.progress.prints(Verbosity::Everything) {
            for (how, mapped) in [("by its key", automatic), ("by hand", by_hand)] {
                for mapped in mapped {
                    text.push_str(&format!("\n{mapped} ({how})"));
                }
            }
        }
        self.say(Verbosity::Rounds, &name, &text);
        let (saves, creates) = (WriteSupport::default(), WriteSupport::default());
        self.types.push(ActorType { name, fields: kept, saves, creates, has_parents: false });
        Ok(())
    }
}

//! The methods of a connection that a list-based one need not write, and those with a default.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

use erp_host_conformance::testing::{collect, collect_in, save};
use plugin_api::Operator as Op;
use plugin_api::{
    Actor, ActorType, Connection, Context, Error, Field, ListBased, ListItem, Outcome, Parent, Query,
    QueryBased, Restriction, Result, Rows, TextMatcher, error_code,
};

/// A connection that implements no more than it must.
#[derive(Default)]
struct Plain {
    searchable: Option<Vec<String>>,
}

fn actors() -> Vec<Actor> {
    let mut actors = vec![
        Actor::new("Customer", "C1").with("NAME", "Sønner AS").with("CITY", "Bergen").with("SIZE", 3),
        Actor::new("Customer", "C2").with("NAME", "Åse og Co").with("CITY", None::<&str>).with("SIZE", 40),
        Actor::new("Customer", "C3").with("NAME", "c1 Holding").with("CITY", "Oslo"),
        Actor::new("Person", "P1").with("NAME", "Ada Berg").below("Customer", "C1"),
        Actor::new("Person", "P2").with("NAME", "Bo Berg").below("Customer", "C2"),
        Actor::new("Person", "P3").with("NAME", "Cy Dal").below("Customer", "C1"),
    ];
    for (actor, stamp) in actors.iter_mut().zip([Some("2026-01"), Some("2026-02"), None]) {
        actor.last_modified = stamp.map(str::to_owned);
    }
    actors
}

impl Connection for Plain {
    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec!["Customer".into(), ActorType::new("Person").below("Customer")])
    }

    fn fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
        match actor_type {
            "Customer" => Ok(vec![
                Field::text("NAME"),
                Field::text("CITY"),
                Field::integer("SIZE"),
                Field::password("PIN"),
                Field::list("KIND", "Kinds"),
            ]),
            "Person" => Ok(vec![Field::text("NAME")]),
            _ => Err(Error::user(format!("there is no actor type {actor_type:?}"))),
        }
    }

    fn searchable_fields(&self, cx: &Context, actor_type: &str) -> Result<Vec<String>> {
        match &self.searchable {
            Some(keys) => Ok(keys.clone()),
            None => {
                let fields = self.fields(cx, actor_type)?.into_iter();
                Ok(fields.filter(|field| field.key != "PIN").map(|field| field.key).collect())
            }
        }
    }

    plugin_api::list_based!(get, search, search_text, changed_since);

    fn list(&self, _cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        Ok((name == "Kinds").then(|| vec![ListItem::new("a", "Good"), ListItem::new("b", "Better")]))
    }
}

impl ListBased for Plain {
    fn actors(&self, cx: &Context, actor_type: &str, rows: &mut Rows<'_>) -> Result<()> {
        self.fields(cx, actor_type)?;
        for actor in actors().iter().filter(|actor| actor.actor_type == actor_type) {
            rows.push(actor)?;
        }
        cx.info("from the list");
        Ok(())
    }
}

fn keys(found: &[Actor]) -> Vec<&str> {
    found.iter().map(|actor| actor.key.as_str()).collect()
}

fn search(restrictions: &[Restriction]) -> Vec<Actor> {
    let plain = Plain::default();
    let cx = Context::default();
    let found =
        collect_in(&cx, "Customer", None, |rows| plain.search(&cx, "Customer", restrictions, rows)).unwrap();
    assert_eq!(cx.outcome(), Outcome::info("from the list"), "the outcome comes through");
    found
}

fn search_text(connection: &Plain, actor_type: &str, text: &str, parent: Option<&Parent>) -> Vec<Actor> {
    collect(actor_type, None, |cx, rows| connection.search_text(cx, actor_type, text, parent, rows)).unwrap()
}

#[test]
fn get_leaves_out_unknown_keys() {
    let plain = Plain::default();
    let get = |wanted: &[&str]| {
        collect("Customer", None, |cx, rows| plain.get(cx, "Customer", wanted, rows)).unwrap()
    };
    assert_eq!(keys(&get(&["C3", "C1", "nobody", "C1", "c2"])), ["C1", "C3"]);
    assert_eq!(get(&["C2"])[0], actors()[1], "whole and unchanged");
    assert!(get(&[]).is_empty());
}

#[test]
fn search_filters_the_actors() {
    assert_eq!(keys(&search(&[])), ["C1", "C2", "C3"]);
    assert_eq!(keys(&search(&[Restriction::new("NAME", Op::Contains, ["SØNN"])])), ["C1"]);
    assert_eq!(keys(&search(&[Restriction::new("CITY", Op::Equal, [""])])), ["C2"]);
    let both =
        [Restriction::new("SIZE", Op::GreaterOrEqual, ["3"]), Restriction::new("CITY", Op::IsNot, ["x"])];
    assert_eq!(keys(&search(&both)), ["C1", "C2"]);
}

#[test]
fn search_below_a_parent() {
    let plain = Plain::default();
    let below = [
        Restriction::new(Restriction::PARENT_KEY, Op::Equal, ["C1"]),
        Restriction::new(Restriction::PARENT_TYPE, Op::Equal, ["Customer"]),
    ];
    let found = collect("Person", None, |cx, rows| plain.search(cx, "Person", &below, rows)).unwrap();
    assert_eq!(keys(&found), ["P1", "P3"]);
    assert_eq!(found[0].parent, Some(Parent::new("Customer", "C1")));
}

#[test]
fn search_text_finds_text_and_keys() {
    let plain = Plain::default();
    for (text, found) in [
        ("berg", &["C1"][..]),
        ("  ÅSE ", &["C2"]),
        ("c1", &["C1", "C3"]),
        ("C", &["C2", "C3"]),
        ("", &["C1", "C2", "C3"]),
        ("3", &[]),
        ("nowhere", &[]),
    ] {
        assert_eq!(keys(&search_text(&plain, "Customer", text, None)), found, "{text:?}");
    }
}

#[test]
fn search_text_below_a_parent() {
    let plain = Plain::default();
    for (text, parent, found) in [
        ("berg", Parent::new("Customer", "C1"), &["P1"][..]),
        ("", Parent::new("Customer", "C1"), &["P1", "P3"]),
        ("", Parent::new("Supplier", "C1"), &[]),
        ("p2", Parent::new("Customer", "C1"), &[]),
    ] {
        assert_eq!(keys(&search_text(&plain, "Person", text, Some(&parent))), found, "{text:?}");
    }
}

#[test]
fn text_matcher_agrees_with_search_text() {
    let connection = Plain::default();
    let fields = connection.fields(&Context::default(), "Customer").unwrap();
    let parent = Parent::new("Customer", "C1");
    for (actor_type, text, parent) in [
        ("Customer", "berg", None),
        ("Customer", "c1", None),
        ("Customer", " ", None),
        ("Customer", "3", None),
    ]
    .into_iter()
    .chain([("Person", "berg", Some(&parent)), ("Person", "", Some(&parent))])
    {
        let matcher = TextMatcher::new(text, &fields, parent);
        let all = actors();
        let of_type = all.iter().filter(|actor| actor.actor_type == actor_type);
        let found: Vec<_> = of_type.filter(|actor| matcher.matches(*actor)).cloned().collect();
        assert_eq!(keys(&found), keys(&search_text(&connection, actor_type, text, parent)), "{text:?}");
    }
}

#[test]
fn only_searchable_fields_are_searched() {
    assert_eq!(
        Plain::default().searchable_fields(&Context::default(), "Customer").unwrap(),
        ["NAME", "CITY", "SIZE", "KIND"]
    );
    let only_city = Plain { searchable: Some(vec!["CITY".to_owned(), "SIZE".to_owned()]) };
    assert_eq!(
        keys(&search_text(&only_city, "Customer", "og", None)),
        Vec::<&str>::new(),
        "stands in NAME only"
    );
    assert_eq!(keys(&search_text(&only_city, "Customer", "oslo", None)), ["C3"]);
    let by_name = [Restriction::new("NAME", Op::Equal, ["x"])];
    let error =
        collect("Customer", None, |cx, rows| only_city.search(cx, "Customer", &by_name, rows)).unwrap_err();
    assert_eq!(error.error_code(), Some(error_code::UNKOWN_FIELDKEY));
    assert!(error.user_text().contains("CITY, SIZE"), "{error}");
}

#[test]
fn changed_since_includes_the_stamp_and_actors_without_one() {
    let plain = Plain::default();
    let since = |stamp| {
        collect("Customer", None, |cx, rows| plain.changed_since(cx, "Customer", stamp, rows)).unwrap()
    };
    assert_eq!(keys(&since(None)), ["C1", "C2", "C3"]);
    assert_eq!(keys(&since(Some(""))), ["C1", "C2", "C3"]);
    assert_eq!(keys(&since(Some("2026-01"))), ["C1", "C2", "C3"]);
    assert_eq!(keys(&since(Some("2026-02"))), ["C2", "C3"]);
    assert_eq!(keys(&since(Some("2026-03"))), ["C3"]);
}

#[test]
fn list_items_come_from_the_list() {
    let plain = Plain::default();
    assert_eq!(
        plain.list_items(&Context::default(), "Kinds", &["b", "c"]).unwrap(),
        Some(vec![ListItem::new("b", "Better")])
    );
    assert_eq!(plain.list_items(&Context::default(), "Kinds", &[]).unwrap(), Some(vec![]));
    assert_eq!(plain.list_items(&Context::default(), "Colours", &["b"]).unwrap(), None);
}

#[test]
fn fields_are_selected_after_filtering() {
    let plain = Plain::default();
    let by_city = [Restriction::new("CITY", Op::Equal, ["bergen"])];
    for (selection, fields) in [
        (None, &["NAME", "CITY", "SIZE"][..]),
        (Some(&["SIZE", "COLOUR"][..]), &["SIZE"]),
        (Some(&["CITY"]), &["CITY"]),
        (Some(&[]), &[]),
    ] {
        let found =
            collect("Customer", selection, |cx, rows| plain.search(cx, "Customer", &by_city, rows)).unwrap();
        assert_eq!(keys(&found), ["C1"]);
        let sent: Vec<_> = found[0].fields.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(sent, fields, "{selection:?}");
        let found = collect("Customer", selection, |cx, rows| {
            plain.search_text(cx, "Customer", "bergen", None, rows)
        })
        .unwrap();
        let sent: Vec<_> = found[0].fields.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(sent, fields, "{selection:?}");
    }
}

#[test]
fn unknown_actor_type_fails_in_every_method() {
    let plain = Plain::default();
    let fails = |method: &dyn Fn(&Context, &mut Rows<'_>) -> Result<()>| {
        let error = collect("Ship", None, method).unwrap_err();
        assert!(error.user_text().contains("\"Ship\""), "{error}");
    };
    fails(&|cx, rows| plain.get(cx, "Ship", &["1"], rows));
    fails(&|cx, rows| plain.search(cx, "Ship", &[], rows));
    fails(&|cx, rows| plain.search_text(cx, "Ship", "x", None, rows));
    fails(&|cx, rows| plain.changed_since(cx, "Ship", None, rows));
}

#[test]
fn create_and_save_fail_by_default() {
    let plain = Plain::default();
    let actor = Actor::new("Customer", "");
    let error = collect("Customer", None, |cx, rows| plain.create(cx, &actor, rows)).unwrap_err();
    assert_eq!(error.user_text(), "Customer cannot be created: this connector is read only");
    let saved = save(&plain, &[actor]).outcome;
    assert_eq!(saved.user.as_deref(), Some("Customer cannot be saved: this connector is read only"));

    let cx = Context::default();
    plain.test(&cx).unwrap();
    assert_eq!(cx.outcome(), Outcome::ok());
}

/// A connection to an ERP system that finds too much, and remembers what it was asked for.
#[derive(Default)]
struct Queried {
    plain: Plain,
    asked: std::sync::Mutex<Vec<String>>,
}

impl QueryBased for Queried {
    fn query(&self, cx: &Context, actor_type: &str, query: &Query<'_>, rows: &mut Rows<'_>) -> Result<()> {
        let condition = |restriction: &Restriction| {
            format!("{} {} {}", restriction.field, restriction.operator, restriction.values.join(","))
        };
        let conditions = |all: &[Restriction]| all.iter().map(condition).collect::<Vec<_>>();
        self.asked.lock().unwrap().push(format!(
            "keys {:?}, parent {:?}, all {:?}, text {:?}, any {:?}, since {:?}",
            query.keys.unwrap_or_default(),
            query.parent.map_or("", |parent| &parent.key),
            conditions(&query.restrictions),
            query.text.unwrap_or_default(),
            conditions(&query.any),
            query.changed_since.unwrap_or_default(),
        ));
        self.plain.actors(cx, actor_type, rows)
    }
}

impl Connection for Queried {
    fn actor_types(&self, cx: &Context) -> Result<Vec<ActorType>> {
        self.plain.actor_types(cx)
    }

    fn fields(&self, cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
        self.plain.fields(cx, actor_type)
    }

    plugin_api::query_based!(get, search, search_text, changed_since);
}

#[test]
fn query_has_what_is_asked_for_and_its_rows_are_filtered() {
    let erp = Queried::default();
    let found = |search: &dyn Fn(&Context, &mut Rows<'_>) -> Result<()>, actor_type: &str| {
        let found = collect(actor_type, None, search).unwrap();
        let keys = found.into_iter().map(|actor| actor.key).collect::<Vec<_>>().join(" ");
        (keys, erp.asked.lock().unwrap().drain(..).collect::<Vec<_>>().join("; "))
    };
    let parent = Parent::new("Customer", "C1");
    let restrictions = [
        Restriction::new(Restriction::PARENT_KEY, Op::Equal, ["C1"]),
        Restriction::new("NAME", Op::Contains, ["berg"]),
        Restriction::new(Restriction::PARENT_TYPE, Op::Equal, ["Customer"]),
    ];
    let none = "keys [], parent \"\", all [], text \"\", any [], since \"\"";
    for (search, keys, asked) in [
        (
            found(&|cx, rows| erp.get(cx, "Customer", &["C2", "C9"], rows), "Customer"),
            "C2",
            none.replace("keys []", "keys [\"C2\", \"C9\"]"),
        ),
        (found(&|cx, rows| erp.get(cx, "Customer", &[], rows), "Customer"), "", String::new()),
        (
            found(&|cx, rows| erp.search(cx, "Person", &restrictions, rows), "Person"),
            "P1",
            "keys [], parent \"C1\", all [\"NAME contains berg\"], text \"\", any [], since \"\"".to_owned(),
        ),
        (
            found(&|cx, rows| erp.search_text(cx, "Person", " dal ", Some(&parent), rows), "Person"),
            "P3",
            "keys [], parent \"C1\", all [], text \"dal\", any [\"NAME contains dal\"], since \"\""
                .to_owned(),
        ),
        (
            found(&|cx, rows| erp.search_text(cx, "Person", " ", None, rows), "Person"),
            "P1 P2 P3",
            none.to_owned(),
        ),
        // What the ERP system adds because of a margin is sent.
        (
            found(&|cx, rows| erp.changed_since(cx, "Customer", Some("2026-02"), rows), "Customer"),
            "C1 C2 C3",
            none.replace("since \"\"", "since \"2026-02\""),
        ),
        (
            found(&|cx, rows| erp.changed_since(cx, "Customer", Some(""), rows), "Customer"),
            "C1 C2 C3",
            none.to_owned(),
        ),
    ] {
        assert_eq!(search, (keys.to_owned(), asked));
    }
}

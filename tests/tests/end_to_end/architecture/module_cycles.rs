//! No dependency cycles between the modules of a crate: at every level, sibling modules use each other in one direction only.
//!
//! A path counts as a dependency of the module it stands in on the module that owns the name, also through `pub use`.
//! A module and its own children do not count, nor does code for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use test_support::build::workspace;

use super::rust_files;

/// A module, by the names on the way to it from the root of its crate.
type ModulePath = Vec<String>;

/// A path as it is written: `crate::xml::Token` is `["crate", "xml", "Token"]`.
type Segments = Vec<String>;

#[derive(Debug, Default)]
struct Module {
    paths: Vec<Segments>,
    /// What `pub use` and `pub(crate) use` name, by the name that they give it.
    reexports: BTreeMap<String, Segments>,
}

type Modules = BTreeMap<ModulePath, Module>;

#[test]
fn module_dependencies_have_no_cycles() {
    let mut crates: BTreeMap<String, Modules> = BTreeMap::new();
    for file in rust_files() {
        let file = file.to_str().unwrap().replace('\\', "/");
        let Some((folder, inner)) = file.split_once("/src/") else { continue };
        if inner.split('/').any(|part| matches!(part, "bin" | "tests" | "tests.rs")) {
            continue;
        }
        let text = std::fs::read_to_string(workspace().join(&file)).unwrap();
        let tokens = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
        collect(&module_path(inner), tokens, crates.entry(folder.to_owned()).or_default());
    }
    assert!(crates.contains_key("contract") && crates.contains_key("plugins/excel"));

    let mut report = String::new();
    for (folder, modules) in &crates {
        report.extend(cycles(modules).iter().map(|cycle| format!("{folder}: {cycle}")));
    }
    assert!(report.is_empty(), "modules that depend on each other:\n{report}");
}

/// `abi/call.rs` is the module `abi::call`; `lib.rs`, `main.rs` and `mod.rs` are the module of their folder.
fn module_path(file: &str) -> ModulePath {
    let mut path: ModulePath = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let is_root = path.len() == 1 && matches!(path[0].as_str(), "lib" | "main");
    if is_root || path.last().is_some_and(|name| name == "mod") {
        path.pop();
    }
    path
}

/// Collects the paths in the code of a module and of the modules that are written inside it.
fn collect(path: &ModulePath, code: TokenStream, modules: &mut Modules) {
    modules.entry(path.clone()).or_default();
    let mut tokens = code.into_iter().peekable();
    let mut is_reexport = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let attribute = tokens.next_if(|token| matches!(token, TokenTree::Group(_)));
                if attribute.is_some_and(|attribute| attribute.to_string().replace(' ', "") == "[cfg(test)]")
                {
                    // The item that the attribute belongs to ends with a semicolon or a block.
                    tokens.find(|token| match token {
                        TokenTree::Punct(punct) => punct.as_char() == ';',
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        _ => false,
                    });
                }
            }
            TokenTree::Ident(word) if word == "pub" => {
                is_reexport = true;
                tokens.next_if(
                    |token| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis),
                );
                continue;
            }
            TokenTree::Ident(word) if word == "use" => {
                let mut tree = Vec::new();
                while let Some(token) = tokens.next_if(|token| !is_punct(token, ';')) {
                    tree.push(token);
                }
                let module = modules.entry(path.clone()).or_default();
                for (segments, name) in use_paths(&tree) {
                    if is_reexport {
                        module.reexports.insert(name, segments.clone());
                    }
                    module.paths.push(segments);
                }
            }
            TokenTree::Ident(word) if word == "mod" => {
                let name = tokens.next().map(|name| name.to_string()).unwrap_or_default();
                let is_block = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
                if let Some(TokenTree::Group(block)) = tokens.next_if(is_block) {
                    let mut inner = path.clone();
                    inner.push(name);
                    collect(&inner, block.stream(), modules);
                }
            }
            TokenTree::Ident(word) if matches!(word.to_string().as_str(), "crate" | "self" | "super") => {
                let mut segments = vec![word.to_string()];
                while tokens.next_if(|token| is_punct(token, ':')).is_some() {
                    tokens.next_if(|token| is_punct(token, ':'));
                    match tokens.next_if(|token| matches!(token, TokenTree::Ident(_))) {
                        Some(name) => segments.push(name.to_string()),
                        None => break,
                    }
                }
                modules.entry(path.clone()).or_default().paths.push(segments);
            }
            TokenTree::Group(group) => collect(path, group.stream(), modules),
            _ => {}
        }
        is_reexport = false;
    }
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// The paths of a `use`, each with the name that it brings into scope.
fn use_paths(tree: &[TokenTree]) -> Vec<(Segments, String)> {
    let mut segments = Segments::new();
    let mut tokens = tree.iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "as" => {
                let name = tokens.next().map(|name| name.to_string()).unwrap_or_default();
                return vec![(segments, name)];
            }
            TokenTree::Ident(name) => segments.push(name.to_string()),
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let parts = inner.split(|token| is_punct(token, ',')).filter(|part| !part.is_empty());
                let prefixed = |(path, name): (Segments, String)| ([segments.clone(), path].concat(), name);
                return parts.flat_map(use_paths).map(prefixed).collect();
            }
            _ => {}
        }
    }
    let name = segments.last().cloned().unwrap_or_default();
    vec![(segments, name)]
}

/// The module that a path leads to, and what is left of the path there. `None` for names of other crates.
fn resolve(modules: &Modules, from: &ModulePath, segments: &[String]) -> Option<(ModulePath, Segments)> {
    let mut rest = segments;
    let mut module = match rest.first()?.as_str() {
        "crate" => ModulePath::new(),
        "self" | "super" => from.clone(),
        name if modules.contains_key(&[from.as_slice(), &[name.to_owned()]].concat()) => from.clone(),
        _ => return None,
    };
    while let Some(first) = rest.first() {
        match first.as_str() {
            "crate" | "self" => {}
            "super" => drop(module.pop()),
            name => {
                let child = [module.as_slice(), &[name.to_owned()]].concat();
                if !modules.contains_key(&child) {
                    break;
                }
                module = child;
            }
        }
        rest = &rest[1..];
    }
    Some((module, rest.to_vec()))
}

/// The module that owns what a path names, through re-exports.
fn owner(modules: &Modules, from: &ModulePath, segments: &[String]) -> Option<ModulePath> {
    let (mut module, mut rest) = resolve(modules, from, segments)?;
    // No re-export leads through more than a few modules; one that names itself would lead round and round.
    for _ in 0..8 {
        let Some(target) = rest.first().and_then(|name| modules[&module].reexports.get(name)) else { break };
        let Some((next, mut next_rest)) = resolve(modules, &module, target) else { break };
        next_rest.extend_from_slice(&rest[1..]);
        (module, rest) = (next, next_rest);
    }
    Some(module)
}

/// One line for each dependency between siblings that is part of a cycle.
fn cycles(modules: &Modules) -> Vec<String> {
    // By the parent of the siblings: from, to, and a path that shows it.
    let mut levels: BTreeMap<&[String], BTreeMap<(&str, String), String>> = BTreeMap::new();
    for (module, Module { paths, .. }) in modules {
        for segments in paths {
            let Some(owner) = owner(modules, module, segments) else { continue };
            let shared = module.iter().zip(&owner).take_while(|(ours, theirs)| ours == theirs).count();
            if let (Some(from), Some(to)) = (module.get(shared), owner.get(shared)) {
                let example = format!("{} in {}", segments.join("::"), module.join("::"));
                levels.entry(&module[..shared]).or_default().insert((from, to.clone()), example);
            }
        }
    }
    let mut lines = Vec::new();
    for (parent, edges) in &levels {
        let reached = |start: &str| {
            let mut found = BTreeSet::new();
            let mut open = vec![start.to_owned()];
            while let Some(module) = open.pop() {
                for (_, to) in edges.keys().filter(|(from, _)| *from == module) {
                    if found.insert(to.clone()) {
                        open.push(to.clone());
                    }
                }
            }
            found
        };
        for ((from, to), example) in edges {
            if reached(to).contains(*from) {
                let mut line = String::new();
                writeln!(line, "crate::{} {from} -> {to} ({example})", parent.join("::")).unwrap();
                lines.push(line);
            }
        }
    }
    lines
}

#[test]
fn module_cycles_are_found() {
    let mut modules = Modules::new();
    for (file, code) in [
        ("lib.rs", "mod a; mod b; pub use b::B;"),
        ("a.rs", "use crate::{B, c}; fn f() { format!(\"{}\", super::c::C) }"),
        ("b.rs", "#[cfg(test)] use crate::c::C; mod inner { use super::super::a::A; }"),
        ("c.rs", "pub struct C;"),
    ] {
        collect(&module_path(file), code.parse().unwrap(), &mut modules);
    }
    assert_eq!(
        cycles(&modules),
        ["crate:: a -> b (crate::B in a)\n", "crate:: b -> a (super::super::a::A in b::inner)\n"]
    );
}

//! Names, and the guard against keywords that were taken for names.

use sqlparser::ast::{
    DataType, Ident as Parsed, ObjectName, ObjectNamePart, TableAlias, TableAliasColumnDef,
};

use super::{Converter, Result, absent};
use crate::parse::Unreadable;
use crate::parse::feed::offset;
use crate::parse::words::RESERVED;
use crate::statement::{Alias, Ident, Path, TypeName};

impl Converter<'_> {
    /// Names are fed in quotes; a word without them is a keyword that PostgreSQL allows as a
    /// name, or was misunderstood.
    pub(super) fn ident(&self, ident: Parsed) -> Result<Ident> {
        let at = offset(ident.span).ok_or_else(|| Unreadable::new("a name without a place"))?;
        let text = match ident.quote_style {
            Some('"') => ident.value,
            None => ident.value.to_ascii_lowercase(),
            Some(_) => return Err(Unreadable::at("unexpected", at)),
        };
        if ident.quote_style.is_none() && RESERVED.binary_search(&text.as_str()).is_ok() {
            return Err(Unreadable::at("unexpected", at));
        }
        Ok(Ident { text: text.into(), at })
    }

    pub(super) fn idents(&self, idents: Vec<Parsed>) -> Result<Vec<Ident>> {
        idents.into_iter().map(|ident| self.ident(ident)).collect()
    }

    pub(super) fn path(&self, name: ObjectName) -> Result<Path> {
        name.0
            .into_iter()
            .map(|part| match part {
                ObjectNamePart::Identifier(ident) => self.ident(ident),
                ObjectNamePart::Function(_) => Err(Unreadable::new("a function as a name")),
            })
            .collect()
    }

    /// A name of one part.
    pub(super) fn single(&self, name: ObjectName) -> Result<Ident> {
        let [ident] = <[Ident; 1]>::try_from(self.path(name)?.into_vec())
            .map_err(|_| Unreadable::new("a qualified name"))?;
        Ok(ident)
    }

    pub(super) fn alias(&self, alias: Option<TableAlias>) -> Result<Option<Alias>> {
        let Some(TableAlias { explicit: _, name, columns, at }) = alias else {
            return Ok(None);
        };
        absent(at.is_none(), "AT after an alias")?;
        let column = |column: TableAliasColumnDef| self.ident(column.name);
        let columns = columns.into_iter().map(column).collect::<Result<_>>()?;
        Ok(Some(Alias { name: self.ident(name)?, columns }))
    }

    /// Types are fed as names, so they are never sqlparser's own.
    pub(super) fn type_name(&self, data_type: DataType) -> Result<TypeName> {
        match data_type {
            DataType::Custom(name, modifiers) => {
                let path = self.path(name)?;
                let parts: Vec<&str> = path.iter().map(|part| &*part.text).collect();
                let name = match parts.as_slice() {
                    ["pg_catalog", name] | [name] => (*name).to_owned(),
                    parts => parts.join("."),
                };
                Ok(TypeName { name: name.into(), modified: !modifiers.is_empty(), array: false })
            }
            DataType::Array(element) => {
                use sqlparser::ast::ArrayElemTypeDef;
                let ArrayElemTypeDef::SquareBracket(element, _) = element else {
                    return Err(Unreadable::new("an array type"));
                };
                Ok(TypeName { array: true, ..self.type_name(*element)? })
            }
            _ => Err(Unreadable::new("a type")),
        }
    }
}

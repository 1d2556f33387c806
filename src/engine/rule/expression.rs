//! Compiled CEL expression of a rule, and its value for a resource.

use std::sync::{Arc, LazyLock};

use cel::common::ast::{Expr, IdedExpr};
use cel::common::types::CelBool;
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Program, Value};

use super::check::{Checked, Checker, Mistake, Scope};
use super::{function, symbol};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::yaml::Spanned;

/// CEL environment: the standard library and the host functions.
static ENVIRONMENT: LazyLock<Result<Arc<Env>, String>> = LazyLock::new(|| {
    let mut env = Env::stdlib().with_optional_support(false);
    function::declare(&mut env).map_err(|error| error.to_string())?;
    symbol::declare(&mut env).map_err(|error| error.to_string())?;
    Ok(Arc::new(env))
});

/// The same language without macros: the checker reads `has` and `all` as they are written.
static WRITTEN: LazyLock<Env> = LazyLock::new(|| Env::default().with_optional_support(false));

/// An expression, ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Expression {
    source: String,
    root: IdedExpr,
    /// The same expression with each path as one name, which is faster to look up. Its value is the same, if it has
    /// one.
    short: IdedExpr,
}

/// Expression as written, for the checker.
pub(crate) struct Written<'a> {
    file: &'a SourceFile,
    text: &'a Spanned<String>,
    pub(crate) program: Program,
}

impl<'a> Written<'a> {
    /// Parses an expression.
    pub(crate) fn parse(file: &'a SourceFile, text: &'a Spanned<String>) -> Result<Self, Vec<Diagnostic>> {
        match WRITTEN.compile(&text.value) {
            Ok(program) => Ok(Self { file, text, program }),
            Err(errors) => Err(errors
                .errors
                .iter()
                .map(|error| {
                    let offset = offset_of(&text.value, error.pos);
                    let message = error.msg.lines().next().unwrap_or_default();
                    Diagnostic::error(format!("the expression cannot be read: {message}"))
                        .at(file, text.part(file, offset..offset + 1))
                })
                .collect()),
        }
    }

    /// Checks the expression.
    pub(crate) fn check(&self, checker: &mut Checker<'_>, scope: &Scope, diagnostics: &mut Vec<Diagnostic>) -> Checked {
        let checked = checker.check(self.program.expression(), scope);
        diagnostics.extend(std::mem::take(&mut checker.mistakes).iter().map(|mistake| self.diagnose(mistake)));
        checked
    }

    /// Returns a diagnostic for an error that the checker found.
    pub(crate) fn diagnose(&self, mistake: &Mistake) -> Diagnostic {
        let (start, stop) = self.program.source_info().offset_for(mistake.node).unwrap_or_default();
        let byte = |offset: u32| {
            let nth = self.text.value.char_indices().nth(offset as usize);
            nth.map_or(self.text.value.len(), |(byte, _)| byte)
        };
        let span = self.text.part(self.file, byte(start)..byte(stop.saturating_add(1)).max(byte(start)));
        let diagnostic = Diagnostic::error(&mistake.message).at(self.file, span);
        match &mistake.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }

    /// Compiles the expression.
    pub(crate) fn compile(&self) -> Result<Expression, Box<Diagnostic>> {
        let broken = |message: String| Box::new(Diagnostic::error(message).at(self.file, self.text.span.clone()));
        let env = ENVIRONMENT.as_ref().map_err(|error| broken(error.clone()))?;
        let program = env.compile(&self.text.value).map_err(|error| broken(error.to_string()))?;
        let mut root = program.expression().clone();
        symbol::guard(&mut root);
        let mut short = root.clone();
        shorten(&mut short);
        Ok(Expression { source: self.text.value.trim().to_owned(), root, short })
    }
}

/// Replaces each path of attributes and each parameter by one name.
fn shorten(expression: &mut IdedExpr) {
    match path(&expression.expr) {
        Some(path) if path.starts_with("resource.") || path.starts_with("params.") => {
            expression.expr = Expr::Ident(path);
        }
        _ => parts(expression).for_each(shorten),
    }
}

fn path(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => Some(format!("{}.{}", path(&select.operand.expr)?, select.field)),
        _ => None,
    }
}

/// Returns the direct subexpressions of an expression.
pub(super) fn parts(expression: &mut IdedExpr) -> impl Iterator<Item = &mut IdedExpr> {
    let parts: Vec<&mut IdedExpr> = match &mut expression.expr {
        Expr::Call(call) => call.target.as_deref_mut().into_iter().chain(&mut call.args).collect(),
        Expr::Comprehension(all) => {
            vec![&mut all.iter_range, &mut all.accu_init, &mut all.loop_cond, &mut all.loop_step, &mut all.result]
        }
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Select(select) => vec![&mut select.operand],
        // Rules use maps of texts as arguments, and for nothing else.
        Expr::Map(_) | Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    };
    parts.into_iter()
}

/// Returns the byte offset of a line and column, both counted from 1.
fn offset_of(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line - 1).unwrap_or_default();
    let column = usize::try_from(column - 1).unwrap_or_default();
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = &text[before..];
    before + rest.char_indices().nth(column).map_or(rest.len(), |(byte, _)| byte)
}

impl Expression {
    /// Returns the expression as written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Returns `true` if the expression is true with these variables.
    ///
    /// # Errors
    /// If the expression reads an unknown value on which the result depends.
    pub(crate) fn holds(&self, variables: &dyn VariableResolver) -> Result<bool, ExecutionError> {
        self.value(variables, |value| {
            value.downcast_ref::<CelBool>().map(|value| *value.inner()).ok_or_else(|| ExecutionError::UnexpectedType {
                got: value.get_type().name().to_owned(),
                want: "bool".to_owned(),
            })
        })
    }

    /// Returns the value of the expression with these variables.
    ///
    /// # Errors
    /// If the expression reads an unknown value on which the result depends.
    pub(crate) fn value<T>(
        &self,
        variables: &dyn VariableResolver,
        read: impl FnOnce(&CowVal<'_, '_>) -> Result<T, ExecutionError>,
    ) -> Result<T, ExecutionError> {
        let env = ENVIRONMENT.as_ref().map_err(|error| ExecutionError::InternalError(error.clone()))?;
        let mut context = Context::with_env(Arc::clone(env));
        context.set_variable_resolver(variables);
        // If there is no value, the expression as written provides the reason.
        let value = Value::resolve_val(&self.short, &context).or_else(|_| Value::resolve_val(&self.root, &context))?;
        read(&value)
    }
}

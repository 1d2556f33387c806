//! Answers in XML, as AWS gives them: elements that hold elements or a text. What attributes say is not read.
//!
//! What is not whole, or not understood, is refused.

use memchr::{memchr, memmem};
use quick_xml::escape::unescape;

const CUT: &str = "the answer is cut short";
const MISMATCH: &str = "the answer's elements do not match";

/// What may stand before an answer, and means nothing.
pub(crate) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// An answer.
#[derive(Debug)]
pub(crate) struct Document {
    text: String,
    /// In the order in which they begin: the root is the first, and those that an element holds follow it.
    elements: Vec<Element>,
}

#[derive(Debug)]
struct Element {
    name: Span,
    /// Its text, if it holds no elements.
    text: Span,
    /// How many elements it holds, at all depths.
    size: usize,
}

/// From where to where, in the text.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

impl Document {
    /// Reads an answer, which has to be whole.
    pub(crate) fn parse(text: String) -> Result<Self, &'static str> {
        let elements = elements(&text)?;
        Ok(Self { text, elements })
    }

    /// The element that holds all others.
    pub(crate) fn root(&self) -> Node<'_> {
        Node { document: self, index: 0 }
    }

    fn at(&self, span: Span) -> &str {
        &self.text[span.start..span.end]
    }
}

/// Whether this is a whole answer.
pub(crate) fn check(text: &str) -> Result<(), &'static str> {
    elements(text).map(drop)
}

fn elements(text: &str) -> Result<Vec<Element>, &'static str> {
    let bytes = text.as_bytes();
    let has_references = memchr(b'&', bytes).is_some();
    let mut elements: Vec<Element> = Vec::with_capacity(bytes.len() / 32);
    // Those that have begun and not ended.
    let mut open: Vec<usize> = Vec::new();
    let mut position = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    while let Some(start) = next_tag(bytes, position) {
        let inside = start + 1;
        let kind = bytes.get(inside);
        let leaf = open.last().copied().filter(|index| index + 1 == elements.len());
        let ends_leaf = leaf.is_some() && kind == Some(&b'/');
        if !ends_leaf && !bytes[position..start].trim_ascii().is_empty() {
            return Err("the answer has a text beside its elements");
        }
        match kind {
            Some(b'!' | b'?') => {
                position = passed(text, start)?;
                if let Some(index) = leaf {
                    elements[index].text.start = position;
                }
            }
            Some(b'/') => {
                let index = open.pop().ok_or(MISMATCH)?;
                let size = elements.len() - 1 - index;
                let element = &mut elements[index];
                let name = &bytes[element.name.start..element.name.end];
                let rest = bytes[inside + 1..].strip_prefix(name).ok_or(MISMATCH)?;
                let spaces = rest.iter().position(|byte| !byte.is_ascii_whitespace()).ok_or(CUT)?;
                if rest[spaces] != b'>' {
                    return Err(MISMATCH);
                }
                position = inside + 1 + name.len() + spaces + 1;
                element.size = size;
                element.text.end = if size == 0 { start } else { element.text.start };
                if has_references && unescape(&text[element.text.start..element.text.end]).is_err() {
                    return Err("the answer has a reference to nothing");
                }
            }
            _ => {
                if open.is_empty() && !elements.is_empty() {
                    return Err("the answer has a second root");
                }
                // Names are short: no need for more than to look at each byte.
                let tag = &bytes[inside..];
                let ends_name =
                    |byte: &u8| *byte <= b'>' && (matches!(byte, b'>' | b'/') || byte.is_ascii_whitespace());
                let length = tag.iter().position(ends_name).ok_or(CUT)?;
                let end = length + tag[length..].iter().position(|byte| *byte == b'>').ok_or(CUT)?;
                let is_empty = tag[..end].ends_with(b"/");
                position = inside + end + 1;
                if length == 0 {
                    return Err("the answer has an element without a name");
                }
                if !is_empty {
                    open.push(elements.len());
                }
                elements.push(Element {
                    name: Span { start: inside, end: inside + length },
                    text: Span { start: position, end: position },
                    size: 0,
                });
            }
        }
    }
    let is_whole = open.is_empty() && !elements.is_empty() && bytes[position..].trim_ascii().is_empty();
    if is_whole { Ok(elements) } else { Err(CUT) }
}

/// Where the next tag begins, which is mostly right here.
fn next_tag(bytes: &[u8], position: usize) -> Option<usize> {
    let rest = &bytes[position..];
    if rest.first() == Some(&b'<') { Some(position) } else { Some(position + memchr(b'<', rest)?) }
}

/// Where a declaration, a comment or an instruction ends that starts here.
fn passed(text: &str, start: usize) -> Result<usize, &'static str> {
    let end = match &text[start..] {
        rest if rest.starts_with("<?") => "?>",
        rest if rest.starts_with("<!--") => "-->",
        // A text in another way of writing, which AWS does not use.
        rest if rest.starts_with("<![") => return Err("the answer has a text in pieces"),
        _ => ">",
    };
    let length = memmem::find(&text.as_bytes()[start..], end.as_bytes()).ok_or(CUT)?;
    Ok(start + length + end.len())
}

/// An element of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    document: &'a Document,
    index: usize,
}

impl<'a> Node<'a> {
    fn element(self) -> &'a Element {
        &self.document.elements[self.index]
    }

    /// What it is called.
    pub(crate) fn name(self) -> &'a str {
        self.document.at(self.element().name)
    }

    /// The elements right inside of it.
    fn children(self) -> impl Iterator<Item = Self> {
        let end = self.index + 1 + self.element().size;
        let at = move |index: usize| (index < end).then_some(Self { document: self.document, index });
        std::iter::successors(at(self.index + 1), move |child| at(child.index + 1 + child.element().size))
    }

    /// Whether it is called this. Bytes are compared, which need no look at where characters begin.
    fn is(self, name: &str) -> bool {
        let Span { start, end } = self.element().name;
        self.document.text.as_bytes()[start..end] == *name.as_bytes()
    }

    /// The first element of this name right inside of it.
    pub(crate) fn child(self, name: &str) -> Option<Self> {
        self.children().find(|child| child.is(name))
    }

    /// The members of a list, which are called `item`.
    pub(crate) fn items(self, list: &str) -> Option<impl Iterator<Item = Self>> {
        Some(self.child(list)?.children().filter(|child| child.is("item")))
    }

    /// That text, unless it is empty.
    pub(crate) fn filled(self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// The text of the first element of this name right inside of it, unless that holds elements.
    pub(crate) fn text(self, name: &str) -> Option<String> {
        let element = self.child(name)?.element();
        let text = unescape(self.document.at(element.text)).expect("all were seen when the answer was read");
        (element.size == 0).then(|| text.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::Writer;
    use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

    use super::*;

    const WHOLE: &str =
        "<?xml version=\"1.0\"?>\n<R xmlns=\"http://a/\"><!-- > --><s><i a='1'/><i>x&gt;</i></s>\n<e/></R>\n";

    fn parsed(text: &str) -> Document {
        Document::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn things_are_found_right_inside_and_nowhere_else() {
        let document = parsed(
            "<R><other><name>not this</name></other><name> a &lt;b&gt; &amp; &#x43; </name><set>\n<item>1</item>\
             <more/><item><name>deeper</name></item></set><none/><blank> </blank></R>",
        );
        let root = document.root();
        assert_eq!(root.name(), "R");
        assert_eq!(root.text("name").as_deref(), Some(" a <b> & C "));
        assert_eq!((root.text("none").as_deref(), root.filled("none")), (Some(""), None));
        assert_eq!(root.text("blank").as_deref(), Some(" "));
        assert_eq!((root.text("deeper"), root.text("set")), (None, None));
        assert_eq!(
            root.items("set").unwrap().map(|item| item.text("name")).collect::<Vec<_>>(),
            [None, Some("deeper".to_owned())]
        );
        assert_eq!(root.items("none").map(Iterator::count), Some(0));
        assert!(root.items("nothing").is_none());
    }

    #[test]
    fn whole_answers_pass() {
        for whole in [WHOLE, WHOLE.trim(), "<a/>", "<a><!-- c -->x</a>", "<a></a >", "\u{feff}<a/>"] {
            assert_eq!(check(whole), Ok(()), "{whole}");
        }
    }

    #[test]
    fn an_answer_cut_anywhere_is_refused() {
        for length in 0..WHOLE.trim_end().len() {
            assert!(check(&WHOLE[..length]).is_err(), "{}", &WHOLE[..length]);
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for garbage in [
            "",
            "{}",
            "<a><b></a>",
            "<a><b<></b></a>",
            "<a></a><",
            "</a>",
            "<a/><a/>",
            "<a/>x",
            "x<a/>",
            "<></>",
            "<a>&b;</a>",
            "<a>x<!-- c -->y</a>",
            "<a><!-- c -->x<!-- d --></a>",
            "<a>x<b/></a>",
            "<a><b/>x</a>",
            "<a><![CDATA[x]]></a>",
            "<a><b></c></b></a>",
        ] {
            assert!(check(garbage).is_err(), "{garbage}");
        }
    }

    #[derive(Clone, Debug)]
    enum Tree {
        Text(String),
        Holds(Vec<(String, Tree)>),
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf = any::<String>().prop_map(|text| Tree::Text(text.replace('\0', "")));
        leaf.prop_recursive(4, 40, 6, |inner| prop::collection::vec(("[a-c]|item", inner), 0..6).prop_map(Tree::Holds))
    }

    fn write(writer: &mut Writer<Vec<u8>>, name: &str, tree: &Tree) {
        writer.write_event(Event::Start(BytesStart::new(name))).unwrap();
        match tree {
            Tree::Text(text) => writer.write_event(Event::Text(BytesText::new(text))).unwrap(),
            Tree::Holds(children) => children.iter().for_each(|(name, child)| write(writer, name, child)),
        }
        writer.write_event(Event::End(BytesEnd::new(name))).unwrap();
    }

    /// Whether a node is what was written.
    fn is(node: Node<'_>, tree: &Tree) -> bool {
        match tree {
            Tree::Text(text) => {
                node.element().size == 0 && unescape(node.document.at(node.element().text)).unwrap() == *text
            }
            Tree::Holds(children) => {
                let names = || children.iter().map(|(name, _)| name.as_str());
                node.children().map(Node::name).eq(names())
                    && node.children().zip(children).all(|(node, (_, child))| is(node, child))
                    && names().all(|name| node.child(name).map(|child| child.index) == first(node, name))
            }
        }
    }

    fn first(node: Node<'_>, name: &str) -> Option<usize> {
        node.children().filter(|child| child.name() == name).map(|child| child.index).min()
    }

    fn written(tree: &Tree) -> String {
        let mut writer = Writer::new(Vec::new());
        write(&mut writer, "R", tree);
        String::from_utf8(writer.into_inner()).unwrap()
    }

    /// Looks at everything.
    fn walk(node: Node<'_>) -> usize {
        let texts = node.children().filter(|child| node.text(child.name()).is_some()).count();
        texts + node.children().map(walk).sum::<usize>()
    }

    proptest! {
        /// Whatever a well-kept writer writes is read as it was meant.
        #[test]
        fn what_is_written_is_read(tree in tree()) {
            let text = written(&tree);
            prop_assert!(is(parsed(&text).root(), &tree), "{text}");
        }

        #[test]
        fn any_answer_cut_anywhere_is_refused(tree in tree(), at in any::<prop::sample::Index>()) {
            let text = written(&tree);
            let cut = text.floor_char_boundary(at.index(text.len()));
            prop_assert!(check(&text[..cut]).is_err(), "{}", &text[..cut]);
        }

        /// Nothing makes it panic.
        #[test]
        fn anything_is_read_or_refused(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "<a>", "</a>", "<a/>", "<b c='>'>", "</b>", "<", ">", "/", "<!", "<!--", "-->", "<?", "?>", "&amp;", "&",
                    ";", "é", " ", "x", "<![CDATA[", "]]>",
                ]),
                0..12,
            ),
            is_inside: bool,
        ) {
            let text = pieces.concat();
            if let Ok(document) = Document::parse(if is_inside { format!("<R>{text}</R>") } else { text }) {
                walk(document.root());
            }
        }
    }
}

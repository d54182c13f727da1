//! PCRE2, as far as it is needed, behind safe functions.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use pcre2_sys::*;

/// Steps back and forth, from one place where a match may begin.
const MATCH_LIMIT: u32 = 200_000;
/// Steps within steps.
const DEPTH_LIMIT: u32 = 100_000;
/// Memory for them without JIT, in KiB.
const HEAP_LIMIT: u32 = 16 << 10;
/// Longest pattern.
const PATTERN: usize = 64 << 10;

/// Needed for a limit of the offset.
pub(super) const OFFSET_LIMIT: u32 = PCRE2_USE_OFFSET_LIMIT;

/// The bit of one of `regex_options`.
pub(super) fn option(name: &str) -> Option<u32> {
    Some(match name {
        "allow_empty_class" => PCRE2_ALLOW_EMPTY_CLASS,
        "alt_bsux" => PCRE2_ALT_BSUX,
        "alt_circumflex" => PCRE2_ALT_CIRCUMFLEX,
        "alt_verbnames" => PCRE2_ALT_VERBNAMES,
        "auto_callout" => PCRE2_AUTO_CALLOUT,
        "caseless" => PCRE2_CASELESS,
        "dollar_endonly" => PCRE2_DOLLAR_ENDONLY,
        "dotall" => PCRE2_DOTALL,
        "dupnames" => PCRE2_DUPNAMES,
        "extended" => PCRE2_EXTENDED,
        "firstline" => PCRE2_FIRSTLINE,
        "match_unset_backref" => PCRE2_MATCH_UNSET_BACKREF,
        "multiline" => PCRE2_MULTILINE,
        "never_backslash_c" => PCRE2_NEVER_BACKSLASH_C,
        "never_ucp" => PCRE2_NEVER_UCP,
        "never_utf" => PCRE2_NEVER_UTF,
        "no_auto_capture" => PCRE2_NO_AUTO_CAPTURE,
        "no_auto_possess" => PCRE2_NO_AUTO_POSSESS,
        "no_dotstar_anchor" => PCRE2_NO_DOTSTAR_ANCHOR,
        "no_start_optimize" => PCRE2_NO_START_OPTIMIZE,
        "ucp" => PCRE2_UCP,
        "ungreedy" => PCRE2_UNGREEDY,
        "use_offset_limit" => PCRE2_USE_OFFSET_LIMIT,
        // What is not UTF-8 matches nothing, instead of making the whole search fail.
        "utf" => PCRE2_UTF | PCRE2_MATCH_INVALID_UTF,
        _ => return None,
    })
}

/// Why a pattern cannot be compiled.
#[derive(Debug)]
pub(super) struct Invalid {
    /// Where, in bytes.
    pub(super) offset: usize,
    /// Why.
    pub(super) message: String,
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Match,
    /// A match may have begun here; it depends on what follows.
    Partial(usize),
    Nothing,
    /// A limit was exceeded, or the text is not what the pattern is for.
    GivenUp,
}

/// A compiled pattern, and what is needed to search for it.
pub(super) struct Code {
    code: NonNull<pcre2_code_8>,
    data: Option<NonNull<pcre2_match_data_8>>,
    context: Option<NonNull<pcre2_match_context_8>>,
    stack: *mut pcre2_jit_stack_8,
}

impl Code {
    /// Compiles a pattern, with JIT where there is one; `stack` is its stack's first and largest size in
    /// bytes.
    pub(super) fn compile(
        pattern: &str,
        options: u32,
        stack: Option<(usize, usize)>,
    ) -> Result<Code, Invalid> {
        if pattern.len() > PATTERN {
            return Err(Invalid { offset: PATTERN, message: "pattern is too long".into() });
        }
        let (mut error, mut offset) = (0, 0);
        // SAFETY: the pattern is read for its length, and the two results are written to; NULL is
        // the default context.
        let code = unsafe {
            pcre2_compile_8(
                pattern.as_ptr(),
                pattern.len(),
                options,
                &mut error,
                &mut offset,
                ptr::null_mut(),
            )
        };
        let Some(code) = NonNull::new(code) else {
            return Err(Invalid { offset, message: message(error) });
        };
        let mut code = Code { code, data: None, context: None, stack: ptr::null_mut() };
        code.prepare(stack).ok_or_else(|| Invalid { offset: 0, message: "no memory".into() })?;
        Ok(code)
    }

    /// Makes what a search needs; `None` without memory.
    fn prepare(&mut self, stack: Option<(usize, usize)>) -> Option<()> {
        // SAFETY: the code is valid; without JIT, or for a pattern it cannot do, this fails, and
        // searches go without.
        unsafe {
            pcre2_jit_compile_8(self.code.as_ptr(), PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
        }
        // SAFETY: NULL is the default memory management, here and below.
        let data = unsafe { NonNull::new(pcre2_match_data_create_8(1, ptr::null_mut()))? };
        self.data = Some(data);
        // SAFETY: as above.
        let context = unsafe { NonNull::new(pcre2_match_context_create_8(ptr::null_mut()))? };
        self.context = Some(context);
        // SAFETY: the context was just made.
        unsafe {
            pcre2_set_match_limit_8(context.as_ptr(), MATCH_LIMIT);
            pcre2_set_depth_limit_8(context.as_ptr(), DEPTH_LIMIT);
            pcre2_set_heap_limit_8(context.as_ptr(), HEAP_LIMIT);
        }
        if let Some((start, max)) = stack {
            // SAFETY: the stack is freed after the last search with this context; NULL, where there
            // is no JIT or no memory, means the default stack.
            unsafe {
                self.stack = pcre2_jit_stack_create_8(start, max, ptr::null_mut());
                pcre2_jit_stack_assign_8(context.as_ptr(), None, self.stack.cast());
            }
        }
        Some(())
    }

    /// The characters before a match that it may depend on.
    pub(super) fn look_behind(&self) -> usize {
        usize::try_from(self.info(PCRE2_INFO_MAXLOOKBEHIND)).unwrap_or(usize::MAX)
    }

    /// Whether it is about characters and not bytes.
    pub(super) fn is_utf(&self) -> bool {
        self.info(PCRE2_INFO_ALLOPTIONS) & PCRE2_UTF != 0
    }

    /// One of the facts that are numbers of 32 bits.
    fn info(&self, what: u32) -> u32 {
        let mut value: u32 = 0;
        // SAFETY: the code is valid, and both facts that are asked for are 32 bits wide.
        unsafe { pcre2_pattern_info_8(self.code.as_ptr(), what, (&raw mut value).cast()) };
        value
    }

    /// Searches `subject` for a match that begins at `from` or later, but not after `limit`, for which
    /// it must be compiled. With `partial`, what may become a match with more text is none yet.
    pub(super) fn search(
        &self,
        subject: &[u8],
        from: usize,
        partial: bool,
        limit: Option<usize>,
    ) -> Found {
        let options = if partial { PCRE2_PARTIAL_HARD } else { 0 };
        let result = match self.run(subject, from, options, limit) {
            PCRE2_ERROR_JIT_STACKLIMIT => self.run(subject, from, options | PCRE2_NO_JIT, limit),
            result => result,
        };
        // The limit makes the search end early, but with JIT not always early enough.
        match result {
            0.. if limit.is_some_and(|limit| self.begun() > limit) => Found::Nothing,
            0.. => Found::Match,
            PCRE2_ERROR_NOMATCH => Found::Nothing,
            PCRE2_ERROR_PARTIAL => Found::Partial(self.start().unwrap_or(from)),
            _ => Found::GivenUp,
        }
    }

    fn run(&self, subject: &[u8], from: usize, options: u32, limit: Option<usize>) -> i32 {
        let (Some(data), Some(context)) = (self.data, self.context) else {
            return PCRE2_ERROR_NOMEMORY;
        };
        // SAFETY: code, data and context are valid, and as this is not `Sync` nobody else uses them;
        // the subject is read for its length; the library checks `from`.
        unsafe {
            pcre2_set_offset_limit_8(context.as_ptr(), limit.unwrap_or(PCRE2_UNSET));
            pcre2_match_8(
                self.code.as_ptr(),
                subject.as_ptr(),
                subject.len(),
                from,
                options,
                data.as_ptr(),
                context.as_ptr(),
            )
        }
    }

    /// Where the last match was found; with `\K` it begins elsewhere.
    fn begun(&self) -> usize {
        // SAFETY: the data is valid, and a match has filled it.
        self.data.map_or(0, |data| unsafe { pcre2_get_startchar_8(data.as_ptr()) })
    }

    /// Where the last partial match begins.
    fn start(&self) -> Option<usize> {
        let data = self.data?;
        // SAFETY: the data has one pair of offsets.
        unsafe { pcre2_get_ovector_pointer_8(data.as_ptr()).as_ref().copied() }
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        let data = self.data.map_or(ptr::null_mut(), NonNull::as_ptr);
        let context = self.context.map_or(ptr::null_mut(), NonNull::as_ptr);
        // SAFETY: all four are ours, are freed once, and may be NULL but for the code, which is not.
        unsafe {
            pcre2_match_data_free_8(data);
            pcre2_match_context_free_8(context);
            pcre2_jit_stack_free_8(self.stack);
            pcre2_code_free_8(self.code.as_ptr());
        }
    }
}

/// The library's text for an error.
fn message(error: i32) -> String {
    let mut text = [0; 256];
    // SAFETY: the buffer is written to for its length.
    let length = unsafe { pcre2_get_error_message_8(error, text.as_mut_ptr(), text.len()) };
    let length = usize::try_from(length).unwrap_or(0);
    String::from_utf8_lossy(text.get(..length).unwrap_or_default()).into_owned()
}

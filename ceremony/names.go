package ceremony

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxName = 64    // characters in a person's name: it must fit a table on a screen
	maxText = 4_000 // characters in a reason or statement
)

// checkName refuses names that would not look on a screen like what they are.
func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("a name is empty")
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("the name %q has space around it", name)
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Errorf("the name %.20q… has more than %d characters", name, maxName)
	}
	if r, ok := unsafeRune(name, ""); ok {
		return fmt.Errorf("the name %q holds the character %U, which cannot be seen or changes what is seen", name, r)
	}
	return nil
}

// checkText refuses reasons and statements that are empty or would not look like what they are.
func checkText(what, text string) error {
	if strings.TrimSpace(text) == "" {
		return fmt.Errorf("%s is empty", what)
	}
	if utf8.RuneCountInString(text) > maxText {
		return fmt.Errorf("%s has more than %d characters", what, maxText)
	}
	if r, ok := unsafeRune(text, "\n\t"); ok {
		return fmt.Errorf("%s holds the character %U, which cannot be seen or changes what is seen", what, r)
	}
	return nil
}

// unsafeRune finds control, format and bidirectional characters, odd spaces and bytes that are no text.
func unsafeRune(s, allowed string) (rune, bool) {
	if !utf8.ValidString(s) {
		return utf8.RuneError, true
	}
	for _, r := range s {
		if strings.ContainsRune(allowed, r) {
			continue
		}
		if r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Zs, r) && r != ' ' || unicode.Is(unicode.Co, r) || fillers[r] {
			return r, true
		}
	}
	return 0, false
}

// fillers are letters by category that show as nothing.
var fillers = map[rune]bool{0x115f: true, 0x1160: true, 0x3164: true, 0xffa0: true, 0x2800: true, 0x034f: true}

// samePerson is the form in which two spellings of one name are equal: upper
// and lower case, and the number of spaces, do not matter.
func samePerson(name string) string {
	return strings.ToLower(strings.ToUpper(strings.Join(strings.Fields(name), " ")))
}

// checkPeople wants at least n distinct people, each named by itself.
func checkPeople(by []string, n int) error {
	seen := map[string]bool{}
	for _, name := range by {
		if err := checkName(name); err != nil {
			return err
		}
		if several(name) {
			return fmt.Errorf("%q looks like several people in one name", name)
		}
		if seen[samePerson(name)] {
			return fmt.Errorf("%q is named twice", name)
		}
		seen[samePerson(name)] = true
	}
	if len(by) < n {
		return fmt.Errorf("%s, not %d", atLeast(n, "name is needed", "names are needed"), len(by))
	}
	return nil
}

// several reports whether a name reads like more than one.
func several(name string) bool {
	return strings.ContainsAny(name, ",;/&+|") || slices.Contains(strings.Fields(strings.ToLower(name)), "and")
}

func atLeast(n int, one, many string) string {
	if n == 1 {
		return "at least 1 " + one
	}
	return fmt.Sprintf("at least %d %s", n, many)
}

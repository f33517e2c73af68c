package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Limits of the file: no honest policy comes near them.
const (
	maxSize  = 64 << 10
	maxDepth = 4
)

// decode reads the file into f: every name once and as it is written here, no
// null, nothing after the value.
func decode(raw []byte, f *file) error {
	if len(raw) > maxSize {
		return &Error{"file", fmt.Sprintf("has %d bytes; %d are read at most", len(raw), maxSize)}
	}
	if !utf8.Valid(raw) {
		return &Error{"file", "is not UTF-8"}
	}
	if err := scan(raw); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(f); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return &Error{cmp.Or(wrong.Field, "file"), fmt.Sprintf("is %s, must be %s", article(wrong.Value), kind(wrong.Type))}
		}
		return &Error{"file", "cannot be read: " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	return nil
}

// article puts one before encoding/json's name of what it met.
func article(value string) string {
	switch {
	case value == "array" || value == "object":
		return "an " + value
	case strings.HasPrefix(value, "number "):
		return value
	}
	return "a " + value
}

// kind is a type in the words of the file.
func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// scan refuses what encoding/json would let pass: a name that stands twice or
// differs in case, null, and more than one value.
func scan(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := scanValue(d, "file", 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &Error{"file", "goes on after its end"}
	}
	return nil
}

func scanValue(d *json.Decoder, path string, depth int) error {
	t, err := d.Token()
	if err != nil {
		return &Error{path, "is not well-formed JSON"}
	}
	switch {
	case t == nil:
		return &Error{path, "is null; leave it out"}
	case depth >= maxDepth:
		return &Error{path, "is nested too deeply"}
	case t == json.Delim('{'):
		return scanObject(d, path, depth)
	case t == json.Delim('['):
		for d.More() {
			if err := scanValue(d, path, depth+1); err != nil {
				return err
			}
		}
		return scanEnd(d, path)
	}
	return nil
}

func scanObject(d *json.Decoder, path string, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return &Error{path, "is not well-formed JSON"}
		}
		if name != strings.ToLower(name) {
			return &Error{path, fmt.Sprintf("has the name %q; names are in lower case", cut(name))}
		}
		if seen[name] {
			return &Error{path, fmt.Sprintf("has the name %q twice", cut(name))}
		}
		seen[name] = true
		if err := scanValue(d, strings.TrimPrefix(path+"."+cut(name), "file."), depth+1); err != nil {
			return err
		}
	}
	return scanEnd(d, path)
}

func scanEnd(d *json.Decoder, path string) error {
	if _, err := d.Token(); err != nil {
		return &Error{path, "is not well-formed JSON"}
	}
	return nil
}

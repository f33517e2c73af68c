package publish

import (
	"fmt"
	"regexp"
	"strings"
	"text/template"
)

// Days that old states are kept. A timestamp is replaced every hour: its old
// versions tell what was live when, and cost little, but not nothing.
const (
	keepTimestamps = 90
	keepUnfinished = 7
	lockDays       = 30
)

// terraform is the whole bucket. Names of resources begin with the bucket's.
const terraform = `# The bucket {{.Bucket}}, as a store for a repository. What is denied below is denied to
# everybody; to delete all the same, change the policy first: that leaves a trace.

resource "aws_s3_bucket" "{{.ID}}" {
  bucket = "{{.Bucket}}"

  # Object Lock can only be turned on when a bucket is made. It keeps every version for
  # {{.LockDays}} days against everybody but those who may bypass governance. Publishing goes on as
  # usual: the timestamp gets a new version each time.
  # object_lock_enabled = true

  lifecycle {
    prevent_destroy = true
  }
}

# resource "aws_s3_bucket_object_lock_configuration" "{{.ID}}" {
#   bucket = aws_s3_bucket.{{.ID}}.id
#   rule {
#     default_retention {
#       mode = "GOVERNANCE"
#       days = {{.LockDays}}
#     }
#   }
# }

# Old versions bring back what somebody has replaced or deleted.
resource "aws_s3_bucket_versioning" "{{.ID}}" {
  bucket = aws_s3_bucket.{{.ID}}.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "{{.ID}}" {
  bucket     = aws_s3_bucket.{{.ID}}.id
  depends_on = [aws_s3_bucket_versioning.{{.ID}}]

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {
      prefix = "{{.Prefix}}"
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = {{.KeepUnfinished}}
    }
  }

  rule {
    id     = "old-timestamps"
    status = "Enabled"
    filter {
      prefix = "{{.Prefix}}metadata/timestamp.json"
    }
    noncurrent_version_expiration {
      noncurrent_days = {{.KeepTimestamps}}
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "{{.ID}}" {
  bucket = aws_s3_bucket.{{.ID}}.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "{{.ID}}" {
  bucket                  = aws_s3_bucket.{{.ID}}.id
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = {{.Private}}
  restrict_public_buckets = {{.Private}}
}

resource "aws_s3_bucket_policy" "{{.ID}}" {
  bucket     = aws_s3_bucket.{{.ID}}.id
  depends_on = [aws_s3_bucket_public_access_block.{{.ID}}]
  policy     = {{heredoc .Policies.Bucket}}
}
{{range .Identities}}
# {{.Why}}
resource "aws_iam_policy" "{{$.ID}}_{{.Name}}" {
  name   = "{{$.Bucket}}-{{.Name}}"
  policy = {{heredoc .Policy}}
}
{{end}}`

var notIdentifier = regexp.MustCompile(`[^a-z0-9_]`)

// identifier is a bucket's name as Terraform allows it, which must not begin with a digit.
func identifier(bucket string) string {
	return "store_" + notIdentifier.ReplaceAllString(bucket, "_")
}

// heredoc is a policy as a here-document. What would be a template in it is escaped.
func heredoc(p *Policy) (string, error) {
	text, err := p.Text()
	if err != nil {
		return "", err
	}
	return "<<-POLICY\n" + strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text) + "POLICY", nil
}

// Terraform is the bucket with its policies, versions and lifecycle as Terraform's language has it.
func (p *Policies) Terraform() (string, error) {
	type identity struct {
		Name, Why string
		Policy    *Policy
	}
	var text strings.Builder
	err := template.Must(template.New("terraform").Funcs(template.FuncMap{"heredoc": heredoc}).Parse(terraform)).Execute(&text, map[string]any{
		"Bucket": p.o.Bucket, "Prefix": p.o.Prefix, "ID": identifier(p.o.Bucket), "Private": p.o.Private, "Policies": p,
		"LockDays": lockDays, "KeepUnfinished": keepUnfinished, "KeepTimestamps": keepTimestamps,
		"Identities": []identity{
			{"publisher", "For whoever pushes bundles.", p.Publisher},
			{"refresher", "For the hosts that keep the timestamp fresh.", p.Refresher},
			{"client", "For readers of a private bucket, such as the origin identity of a CDN.", p.Client},
		},
	})
	if err != nil {
		return "", fmt.Errorf("print policies: %w", err)
	}
	return text.String(), nil
}

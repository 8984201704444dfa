//! Which fields a kustomization, its parts and its plugins may have, and what they hold.

use super::decode::{Struct, Type};

const fn table(name: &'static str, fields: &'static [(&'static str, Type)]) -> Struct {
    Struct { name, package: "types", fields, embedded: &[] }
}

const TEXTS: Type = Type::List(&Type::Text);

static GVK: Struct = Struct {
    name: "Gvk",
    package: "resid",
    fields: &[("group", Type::Text), ("version", Type::Text), ("kind", Type::Text)],
    embedded: &[],
};
static RES_ID: Struct = Struct {
    name: "ResId",
    package: "resid",
    fields: &[("name", Type::Text), ("namespace", Type::Text)],
    embedded: &[&GVK],
};
static SELECTOR: Struct = Struct {
    name: "Selector",
    package: "types",
    fields: &[("annotationSelector", Type::Text), ("labelSelector", Type::Text)],
    embedded: &[&RES_ID],
};
static FIELD_SPEC: Struct = Struct {
    name: "FieldSpec",
    package: "types",
    fields: &[("path", Type::Text), ("create", Type::Flag)],
    embedded: &[&GVK],
};
const FIELD_SPECS: Type = Type::List(&Type::Struct(&FIELD_SPEC));
static BACK_REFERENCES: Struct = Struct {
    name: "NameBackReferences",
    package: "builtinconfig",
    fields: &[("fieldSpecs", FIELD_SPECS)],
    embedded: &[&GVK],
};
/// The rules of a file that `configurations` names.
pub(super) static CONFIG: Struct = Struct {
    name: "TransformerConfig",
    package: "builtinconfig",
    fields: &[
        ("namePrefix", FIELD_SPECS),
        ("nameSuffix", FIELD_SPECS),
        ("namespace", FIELD_SPECS),
        ("commonLabels", FIELD_SPECS),
        ("labels", FIELD_SPECS),
        ("templateLabels", FIELD_SPECS),
        ("commonAnnotations", FIELD_SPECS),
        ("nameReference", Type::List(&Type::Struct(&BACK_REFERENCES))),
        ("varReference", FIELD_SPECS),
        ("images", FIELD_SPECS),
        ("replicas", FIELD_SPECS),
    ],
    embedded: &[],
};
static OBJECT_META: Struct = table(
    "ObjectMeta",
    &[("name", Type::Text), ("namespace", Type::Text), ("labels", Type::TextMap), ("annotations", Type::TextMap)],
);
static LABEL: Struct = table(
    "Label",
    &[
        ("pairs", Type::TextMap),
        ("includeSelectors", Type::Flag),
        ("includeTemplates", Type::Flag),
        ("fields", FIELD_SPECS),
    ],
);
static PATCH_ARGS: Struct = table("PatchArgs", &[("allowNameChange", Type::Flag), ("allowKindChange", Type::Flag)]);
static PATCH: Struct = table(
    "Patch",
    &[
        ("path", Type::Text),
        ("patch", Type::Text),
        ("target", Type::Struct(&SELECTOR)),
        ("options", Type::Struct(&PATCH_ARGS)),
    ],
);
static IMAGE: Struct = table(
    "Image",
    &[
        ("name", Type::Text),
        ("newName", Type::Text),
        ("tagSuffix", Type::Text),
        ("newTag", Type::Text),
        ("digest", Type::Text),
    ],
);
static FIELD_OPTIONS: Struct = table(
    "FieldOptions",
    &[("delimiter", Type::Text), ("index", Type::Whole("int")), ("encoding", Type::Text), ("create", Type::Flag)],
);
static SOURCE_SELECTOR: Struct = Struct {
    name: "SourceSelector",
    package: "types",
    fields: &[("fieldPath", Type::Text), ("options", Type::Struct(&FIELD_OPTIONS))],
    embedded: &[&RES_ID],
};
static TARGET_SELECTOR: Struct = table(
    "TargetSelector",
    &[
        ("select", Type::Struct(&SELECTOR)),
        ("reject", Type::List(&Type::Struct(&SELECTOR))),
        ("fieldPaths", TEXTS),
        ("options", Type::Struct(&FIELD_OPTIONS)),
    ],
);
/// One replacement of a file that a replacement's `path` names.
pub(super) static REPLACEMENT: Struct = table(
    "Replacement",
    &[
        ("source", Type::Struct(&SOURCE_SELECTOR)),
        ("targets", Type::List(&Type::Struct(&TARGET_SELECTOR))),
        ("sourceValue", Type::Text),
    ],
);
static REPLACEMENT_FIELD: Struct =
    Struct { name: "ReplacementField", package: "types", fields: &[("path", Type::Text)], embedded: &[&REPLACEMENT] };
static REPLICA: Struct = table("Replica", &[("name", Type::Text), ("count", Type::Whole("int64"))]);
static TARGET: Struct = Struct {
    name: "Target",
    package: "types",
    fields: &[("apiVersion", Type::Text), ("name", Type::Text), ("namespace", Type::Text)],
    embedded: &[&GVK],
};
static FIELD_SELECTOR: Struct = table("FieldSelector", &[("fieldPath", Type::Text)]);
static VAR: Struct = table(
    "Var",
    &[("name", Type::Text), ("objref", Type::Struct(&TARGET)), ("fieldref", Type::Struct(&FIELD_SELECTOR))],
);
static LEGACY_SORT_OPTIONS: Struct = table("LegacySortOptions", &[("orderFirst", TEXTS), ("orderLast", TEXTS)]);
static SORT_OPTIONS: Struct = table(
    "SortOptions",
    &[("order", Type::Named("types.SortOrder")), ("legacySortOptions", Type::Struct(&LEGACY_SORT_OPTIONS))],
);
static GENERATOR_OPTIONS: Struct = table(
    "GeneratorOptions",
    &[
        ("labels", Type::TextMap),
        ("annotations", Type::TextMap),
        ("disableNameSuffixHash", Type::Flag),
        ("immutable", Type::Flag),
    ],
);
static GENERATOR_ARGS: Struct = table(
    "GeneratorArgs",
    &[
        ("namespace", Type::Text),
        ("name", Type::Text),
        ("behavior", Type::Text),
        ("literals", TEXTS),
        ("files", TEXTS),
        ("envs", TEXTS),
        ("env", Type::Text),
        ("options", Type::Struct(&GENERATOR_OPTIONS)),
    ],
);
static CONFIG_MAP_ARGS: Struct =
    Struct { name: "ConfigMapArgs", package: "types", fields: &[], embedded: &[&GENERATOR_ARGS] };
static SECRET_ARGS: Struct =
    Struct { name: "SecretArgs", package: "types", fields: &[("type", Type::Text)], embedded: &[&GENERATOR_ARGS] };
static HELM_GLOBALS: Struct = table("HelmGlobals", &[("chartHome", Type::Text), ("configHome", Type::Text)]);
static HELM_CHART: Struct = table(
    "HelmChart",
    &[
        ("name", Type::Text),
        ("version", Type::Text),
        ("repo", Type::Text),
        ("releaseName", Type::Text),
        ("namespace", Type::Text),
        ("additionalValuesFiles", TEXTS),
        ("valuesFile", Type::Text),
        ("valuesInline", Type::AnyMap),
        ("valuesMerge", Type::Text),
        ("includeCRDs", Type::Flag),
        ("skipHooks", Type::Flag),
        ("apiVersions", TEXTS),
        ("kubeVersion", Type::Text),
        ("nameTemplate", Type::Text),
        ("skipTests", Type::Flag),
        ("debug", Type::Flag),
        ("devel", Type::Flag),
    ],
);
static HELM_CHART_ARGS: Struct = table(
    "HelmChartArgs",
    &[
        ("chartName", Type::Text),
        ("chartVersion", Type::Text),
        ("chartRepoUrl", Type::Text),
        ("chartHome", Type::Text),
        ("chartRepoName", Type::Text),
        ("helmBin", Type::Text),
        ("helmHome", Type::Text),
        ("values", Type::Text),
        ("valuesLocal", Type::AnyMap),
        ("valuesMerge", Type::Text),
        ("releaseName", Type::Text),
        ("releaseNamespace", Type::Text),
        ("extraArgs", TEXTS),
    ],
);
/// A kustomization.
pub(super) static KUSTOMIZATION: Struct = table(
    "Kustomization",
    &[
        ("kind", Type::Text),
        ("apiVersion", Type::Text),
        ("metadata", Type::Struct(&OBJECT_META)),
        ("openapi", Type::TextMap),
        ("namePrefix", Type::Text),
        ("nameSuffix", Type::Text),
        ("namespace", Type::Text),
        ("commonLabels", Type::TextMap),
        ("labels", Type::List(&Type::Struct(&LABEL))),
        ("commonAnnotations", Type::TextMap),
        ("patchesStrategicMerge", Type::List(&Type::Named("types.PatchStrategicMerge"))),
        ("patchesJson6902", Type::List(&Type::Struct(&PATCH))),
        ("patches", Type::List(&Type::Struct(&PATCH))),
        ("images", Type::List(&Type::Struct(&IMAGE))),
        ("imageTags", Type::List(&Type::Struct(&IMAGE))),
        ("replacements", Type::List(&Type::Struct(&REPLACEMENT_FIELD))),
        ("replicas", Type::List(&Type::Struct(&REPLICA))),
        ("vars", Type::List(&Type::Struct(&VAR))),
        ("sortOptions", Type::Struct(&SORT_OPTIONS)),
        ("resources", TEXTS),
        ("components", TEXTS),
        ("crds", TEXTS),
        ("bases", TEXTS),
        ("configMapGenerator", Type::List(&Type::Struct(&CONFIG_MAP_ARGS))),
        ("secretGenerator", Type::List(&Type::Struct(&SECRET_ARGS))),
        ("helmGlobals", Type::Struct(&HELM_GLOBALS)),
        ("helmCharts", Type::List(&Type::Struct(&HELM_CHART))),
        ("helmChartInflationGenerator", Type::List(&Type::Struct(&HELM_CHART_ARGS))),
        ("generatorOptions", Type::Struct(&GENERATOR_OPTIONS)),
        ("configurations", TEXTS),
        ("generators", TEXTS),
        ("transformers", TEXTS),
        ("validators", TEXTS),
        ("buildMetadata", TEXTS),
    ],
);
/// What the objects may hold that `generators` and `transformers` name, for all of their kinds.
pub(super) static PLUGIN: Struct = table(
    "Plugin",
    &[
        ("metadata", Type::Struct(&OBJECT_META)),
        ("name", Type::Text),
        ("namespace", Type::Text),
        ("behavior", Type::Text),
        ("literals", TEXTS),
        ("files", TEXTS),
        ("envs", TEXTS),
        ("options", Type::Any),
        ("type", Type::Text),
        ("labels", Type::TextMap),
        ("annotations", Type::TextMap),
        ("fieldSpecs", FIELD_SPECS),
        ("imageTag", Type::Struct(&IMAGE)),
        ("replica", Type::Struct(&REPLICA)),
        ("prefix", Type::Text),
        ("suffix", Type::Text),
        ("target", Type::Struct(&SELECTOR)),
        ("path", Type::Text),
        ("patch", Type::Text),
        ("jsonOp", Type::Text),
        ("paths", TEXTS),
        ("patches", Type::Text),
        ("replacements", Type::List(&Type::Struct(&REPLACEMENT_FIELD))),
        ("unsetOnly", Type::Flag),
        ("setRoleBindingSubjects", Type::Named("namespace.RoleBindingSubjectMode")),
        ("value", Type::Text),
        ("targets", Type::Any),
        ("targetFilePath", Type::Text),
    ],
);

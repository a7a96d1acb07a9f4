// Ids that answers have shown, so that the next form is filled in with them. Kept in memory only.

const LISTS = {
  source_servers: ["source_id", "server_id"],
  tasks: ["task_id"],
  templates: ["id"],
  migprojects: ["mig_project_id"],
  receivers: ["receiver_id"],
};
const CREATED = {
  RegisterServer: LISTS.source_servers,
  CreateTask: LISTS.tasks,
  CreateTemplate: LISTS.templates,
  CreateMigproject: LISTS.migprojects,
};

/** Note the ids in the answer of an operation in the map *known*, by the names of the parameters that take them. */
export function noteIds(known, operation, answer) {
  const note = (names, id) => {
    if (typeof id === "string") names.forEach((name) => known.set(name, id));
  };
  if (CREATED[operation.id]) note(CREATED[operation.id], answer.id);
  for (const [list, names] of Object.entries(LISTS)) {
    if (Array.isArray(answer[list]) && answer[list].length) note(names, answer[list][0].id);
  }
}

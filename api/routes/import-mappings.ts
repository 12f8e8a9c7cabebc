import { z } from 'zod'
import {
  createMapping,
  deleteMapping,
  getMapping,
  listMappings,
  MappingChange,
  NewMapping,
  updateMapping,
} from '../../db/import-mappings.ts'
import { recordKinds } from '../../db/records.ts'
import { ById, Paged, route } from '../route.ts'
import { Actor, Anything, Id, listOf, Time } from '../shapes.ts'

const MappingShape = z
  .object({
    id: Id,
    name: z.string(),
    kind: z.enum(recordKinds),
    columns: z.array(z.string()),
    mapping: z.record(z.string(), z.string().nullable()),
    options: Anything,
    created_by: Actor,
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'ImportMapping' })

const tag = 'imports'

/** How files are mapped, kept under a name. */
export const importMappings = [
  route(
    {
      method: 'GET',
      path: '/api/import-mappings',
      permission: 'imports:read',
      summary: 'Saved mappings, newest first',
      query: Paged.extend({ kind: z.enum(recordKinds).optional() }),
      response: listOf(MappingShape),
      tag,
    },
    ({ ctx, query }) => listMappings(ctx, query),
  ),
  route(
    {
      method: 'POST',
      path: '/api/import-mappings',
      permission: 'imports:write',
      summary: 'Save a mapping; it is suggested for files with the same columns',
      body: NewMapping,
      example: {
        name: 'Fair list',
        kind: 'lead',
        columns: ['Name', 'E-mail'],
        mapping: { Name: 'contact_name', 'E-mail': 'email' },
      },
      response: MappingShape,
      status: 201,
      tag,
    },
    ({ ctx, body }) => createMapping(ctx, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/import-mappings/:id',
      permission: 'imports:read',
      summary: 'One saved mapping',
      params: ById,
      response: MappingShape,
      tag,
    },
    ({ ctx, params }) => getMapping(ctx, params.id),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/import-mappings/:id',
      permission: 'imports:write',
      summary: 'Change a saved mapping',
      params: ById,
      body: MappingChange,
      example: { version: 1, name: 'List of the spring fair' },
      response: MappingShape,
      versioned: true,
      tag,
    },
    ({ ctx, params, body, version }) => updateMapping(ctx, params.id, { ...body, version }),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/import-mappings/:id',
      permission: 'imports:write',
      summary: 'Delete a saved mapping',
      params: ById,
      status: 204,
      tag,
    },
    ({ ctx, params }) => deleteMapping(ctx, params.id),
  ),
]

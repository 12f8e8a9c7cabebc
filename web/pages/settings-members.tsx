import { useQuery } from '@tanstack/react-query'
import { ActorMark } from '../components/actor-mark.tsx'
import { SettingsColumn } from '../components/settings-card.tsx'
import { Loaded, SkeletonRows } from '../components/states.tsx'
import { membersQuery, meQuery } from '../queries.ts'
import { sentence } from '../words.ts'

/** Who is in the organization, and as what. */
export const MembersSettings = () => {
  const members = useQuery(membersQuery)
  const { data: me } = useQuery(meQuery)
  return (
    <SettingsColumn title="Members" intro="People in this organization. Agents are listed under Agents.">
      <Loaded
        query={members}
        what="Members could not be read"
        skeleton={<SkeletonRows rows={4} height={56} />}
      >
        {(list) => (
          <ul aria-label="Members" className="rounded-card border border-line">
            {list.map((member) => (
              <li
                key={member.id}
                className="flex h-14 items-center gap-3 border-b border-line px-4 last:border-0"
              >
                <ActorMark actor={{ kind: 'user', name: member.name }} size={32} />
                <div className="min-w-0 flex-1">
                  <div className="truncate font-medium">
                    {member.name}
                    {member.user_id === me?.user.id && <span className="font-normal text-ink-3"> (you)</span>}
                  </div>
                  <div className="truncate text-12 text-ink-3">{member.email}</div>
                </div>
                <span className="text-ink-2">{sentence(member.role)}</span>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </SettingsColumn>
  )
}

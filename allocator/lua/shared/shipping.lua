-- shipping: units of a take leave the shelf.
--
-- Needs: state, takes.

local function ship_take(state, take, units)
  for _, part in ipairs(split_parts(take, units)) do
    if part[3] ~= '' then
      move(state, take.location, 'spent', part[2], part[3])
    end
  end
  move(state, take.location, 'committed', -units)
  move(state, take.location, 'on_hand', -units)
end

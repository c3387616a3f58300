-- shipping: units of a take leave the shelf.
--
-- Needs: stock, takes.

function shipping.ship(state, take, units)
  for _, part in ipairs(takes.split_parts(take, units)) do
    if part[3] ~= '' then
      stock.move(state, take.location, 'spent', part[2], part[3])
    end
  end
  stock.move(state, take.location, 'committed', -units)
  stock.move(state, take.location, 'on_hand', -units)
end

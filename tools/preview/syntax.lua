-- Quarto's own syntax, before anything is numbered: shortcodes, conditional content, callouts,
-- tabsets, escaped cells and raw HTML. Callouts become a div of a title and a body; finish.lua
-- writes their HTML once crossref.lua has numbered those with a label.

local CALLOUTS = {
  ["callout-note"] = "Note",
  ["callout-tip"] = "Tip",
  ["callout-warning"] = "Warning",
  ["callout-important"] = "Important",
  ["callout-caution"] = "Caution",
}
local HTML = { html = true, html4 = true, html5 = true, ["html:js"] = true }
local metadata = {}

local function warn(message)
  io.stderr:write("WARNING: " .. message .. "\n")
end

local function markdown_inlines(text)
  return pandoc.utils.blocks_to_inlines(pandoc.read(text, "markdown").blocks)
end

-- Shortcodes ---------------------------------------------------------------------------------

local function metadata_value(path)
  local value = metadata
  for key in path:gmatch("[^.]+") do
    value = type(value) == "table" and value[key] or nil
  end
  return value
end

local function run_shortcode(text)
  local name, argument = text:match("^%s*(%S+)%s*(%S*)")
  if name == "pagebreak" then
    return {}
  end
  local value = name == "meta" and metadata_value(argument)
  if value then
    return { pandoc.Str(pandoc.utils.stringify(value)) }
  end
  warn("the shortcode {{< " .. (name or "") .. " >}} is not supported in a preview")
  return { pandoc.Strong({ pandoc.Str("?" .. (name or "")) }) }
end

local function shortcode_end(inlines, start)
  for i = start, #inlines do
    local text = inlines[i].t == "Str" and inlines[i].text or ""
    if text:find(">}}", 1, true) then
      return i
    end
  end
end

local function add_text(inlines, text)
  if text ~= "" then
    inlines:insert(pandoc.Str(text))
  end
end

local function add_shortcode(result, inlines, first, last)
  local piece = pandoc.utils.stringify(pandoc.Inlines({ table.unpack(inlines, first, last) }))
  local before, inner, after = piece:match("^(.-){{<(.-)>}}(.*)$")
  add_text(result, before)
  result:extend(run_shortcode(inner))
  add_text(result, after)
end

local function shortcodes(inlines)
  local result, i, changed = pandoc.Inlines({}), 1, false
  while i <= #inlines do
    local text = inlines[i].t == "Str" and inlines[i].text or ""
    local last = text:find("{{<", 1, true) and shortcode_end(inlines, i)
    if text:find("{{{<", 1, true) then
      result:insert(pandoc.Str((text:gsub("{({{<)", "%1"))))
      changed = true
    elseif last then
      add_shortcode(result, inlines, i, last)
      i, changed = last, true
    elseif text:find(">}}}", 1, true) then
      result:insert(pandoc.Str((text:gsub("(>}})}", "%1"))))
      changed = true
    else
      result:insert(inlines[i])
    end
    i = i + 1
  end
  return changed and result or nil
end

-- Conditional content ------------------------------------------------------------------------

local function conditions_hold(attributes)
  local function is_html(format) return HTML[format] == true end
  local function is_true(path)
    return pandoc.utils.stringify(metadata_value(path) or "") == "true"
  end
  local function never() return false end
  local tests = { format = is_html, meta = is_true, profile = never }
  for name, test in pairs(tests) do
    local when, unless = attributes["when-" .. name], attributes["unless-" .. name]
    if (when and not test(when)) or (unless and test(unless)) then
      return false
    end
  end
  return true
end

-- nil when the element is not conditional
local function is_shown(el)
  if el.classes:includes("content-visible") then
    return conditions_hold(el.attributes)
  elseif el.classes:includes("content-hidden") then
    return not conditions_hold(el.attributes)
  end
end

local function conditional(el)
  local shown = is_shown(el)
  if shown == nil then
    return nil
  elseif not shown then
    return {}
  elseif el.t == "CodeBlock" then
    el.classes = el.classes:filter(function(c) return not c:match("^content%-") end)
    return el
  end
  return el.content
end

-- Callouts and tabsets -----------------------------------------------------------------------

local function callout_kind(div)
  for _, class in ipairs(div.classes) do
    if CALLOUTS[class] then
      return class
    end
  end
end

-- Quarto: a title attribute wins, else a heading that opens the callout, else the kind's name.
local function take_title(div)
  local title = div.attributes.title
  if title and title ~= "" then
    return markdown_inlines(title), true
  end
  local first = div.content[1]
  if first and first.t == "Header" then
    div.content:remove(1)
    return first.content, true
  end
  return pandoc.Inlines({ CALLOUTS[callout_kind(div)] }), false
end

local function callout(div)
  local kind = callout_kind(div)
  local title, titled = take_title(div)
  local classes = { "callout", kind }
  table.insert(classes, "callout-style-" .. (div.attributes.appearance or "default"))
  if div.attributes.icon == "false" or div.attributes.appearance == "minimal" then
    table.insert(classes, "no-icon")
  end
  for _, class in ipairs(div.classes) do
    if class ~= kind then table.insert(classes, class) end
  end
  return pandoc.Div({
    pandoc.Div({ pandoc.Plain(title) }, pandoc.Attr("", { "callout-title" })),
    pandoc.Div(div.content, pandoc.Attr("", { "callout-body" })),
  }, pandoc.Attr(div.identifier, classes, {
    ["data-collapse"] = div.attributes.collapse,
    ["data-titled"] = titled and "true" or "false",
  }))
end

-- Without a script there are no tabs: each becomes a section with its title.
local function tabset(div)
  local first = div.content:find_if(function(block) return block.t == "Header" end)
  if not first then
    return div
  end
  for _, block in ipairs(div.content) do
    if block.t == "Header" and block.level == first.level then
      block.classes:extend({ "unnumbered", "unlisted", "tab-title" })
    end
  end
  return div
end

local function divs(div)
  if is_shown(div) ~= nil then
    return conditional(div)
  elseif callout_kind(div) then
    return callout(div)
  elseif div.classes:includes("panel-tabset") then
    return tabset(div)
  end
end

-- Escaped cells ------------------------------------------------------------------------------

local ESCAPED = "{({+[^<}]+}+)}"

local function unescape_code(code)
  code.text = code.text:gsub("^" .. ESCAPED, "%1"):gsub("^(`+)" .. ESCAPED, "%1%2")
  return code
end

local function unescape_block(code)
  local language = code.classes[1] and code.classes[1]:match("^" .. ESCAPED .. "$")
  if language then
    code.text = "```" .. language .. "\n" .. code.text .. "\n```"
    code.classes[1] = "markdown"
  end
  code.text = code.text:gsub("```" .. ESCAPED, "```%1"):gsub("([^`\n]`)" .. ESCAPED, "%1%2")
  return code
end

local function code_blocks(code)
  local shown = conditional(code)
  if shown and not shown.t then
    return shown
  end
  return unescape_block(shown or code)
end

-- Raw HTML -----------------------------------------------------------------------------------

local function without_scripts(text)
  local lower = text:lower()
  if not (lower:find("<script", 1, true) or lower:find("<link", 1, true)) then
    return text
  end
  warn("a script or linked file in raw HTML is left out of the preview")
  text = text:gsub("<[sS][cC][rR][iI][pP][tT].-</[sS][cC][rR][iI][pP][tT]%s*>", "")
  return (text:gsub("</?[sS][cC][rR][iI][pP][tT][^>]*>", ""):gsub("<[lL][iI][nN][kK][^>]*>", ""))
end

local function add_raw(blocks, text)
  -- pandas scopes its style sheet to the table it comes with, which has a style of its own here.
  text = text:gsub("<style scoped>.-</style>", "")
  if text:match("%S") then
    blocks:insert(pandoc.RawBlock("html", text))
  end
end

local function raw_block(raw)
  if not raw.format:match("^html") then
    return nil
  end
  local blocks, text, position = pandoc.Blocks({}), without_scripts(raw.text), 1
  while true do
    local first = text:find("<table[%s>]", position)
    local _, last = text:find("</table>", first or #text + 1, true)
    if not last then
      break
    end
    add_raw(blocks, text:sub(position, first - 1))
    blocks:extend(pandoc.read(text:sub(first, last), "html").blocks)
    position = last + 1
  end
  add_raw(blocks, text:sub(position))
  return blocks
end

local function raw_inline(raw)
  if raw.format:match("^html") then
    raw.text = without_scripts(raw.text)
    return raw
  end
end

local function paragraph(para)
  if #para.content == 0 then
    return {}
  end
end

return {
  { Meta = function(meta) metadata = meta end },
  {
    Inlines = shortcodes,
    Span = conditional,
    Code = unescape_code,
    CodeBlock = code_blocks,
    RawInline = raw_inline,
    RawBlock = raw_block,
    Para = paragraph,
    Div = divs,
  },
}
